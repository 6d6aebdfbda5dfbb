-- unsafe_functions: of the functions named, those of users that keep a whole statement from running in parallel
-- needs: PostgreSQL 13   parameters: names text[]
-- near miss: parallel restricted ones, which only the leader runs
select
  n.nspname as schema,
  p.proname as name,
  pg_catalog.pg_get_function_identity_arguments(p.oid) as arguments
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where p.proname = any(%(names)s::text[])
  and p.proparallel = 'u'
  and p.prokind = 'f'
  and n.nspname <> 'pg_catalog'
order by 1, 2, 3;
