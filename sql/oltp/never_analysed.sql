-- never_analysed: the tables of which the planner has no statistics yet
-- needs: PostgreSQL 13   parameters: tables oid[]
select n.nspname as schema, c.relname as name
from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
join pg_catalog.pg_class c on c.oid = selected.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.reltuples < 0
  or (c.reltuples = 0 and c.relpages = 0) -- before PostgreSQL 14
order by n.nspname, c.relname;
