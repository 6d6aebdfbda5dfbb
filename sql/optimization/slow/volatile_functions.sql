-- volatile_functions: of the functions named, those that may answer anew at every call
-- needs: PostgreSQL 13   parameters: names text[]
select
  n.nspname as schema,
  p.proname as name
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where p.proname = any(%(names)s::text[])
  and p.provolatile = 'v'
order by 1, 2;
