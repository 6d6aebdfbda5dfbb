-- tables: what holds rows of its own, and may be read
-- needs: PostgreSQL 13
select n.nspname as schema, c.relname as name
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema'
  and c.relkind in ('r', 'm')
  and c.relispopulated
order by n.nspname, c.relname;
