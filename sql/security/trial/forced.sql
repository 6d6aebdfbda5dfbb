-- forced: the tables whose row security binds their owner, too
-- needs: PostgreSQL 13
select n.nspname as schema, c.relname as name
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n
  on n.oid = c.relnamespace
where c.relforcerowsecurity
order by n.nspname, c.relname;
