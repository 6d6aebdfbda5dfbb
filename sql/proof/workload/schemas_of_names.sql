-- schemas_of_names: the schemas that have tables of these names, the system's left out
-- needs: PostgreSQL 13   parameters: names text[]
select
  c.relname::text as name,
  pg_catalog.array_agg(n.nspname::text order by n.nspname) as schemas
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and c.relname = any(%(names)s)
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
  and not pg_catalog.starts_with(n.nspname, 'pg_temp_')
group by c.relname
order by c.relname;
