-- extended_targets: the statistics objects of the clone, with the numbers of their columns by name
-- needs: PostgreSQL 18   parameters: none
select e.oid, n.nspname as schema_name, e.stxname as statistics_name,
  (
    select pg_catalog.jsonb_object_agg(a.attname, a.attnum)
    from pg_catalog.pg_attribute a
    where a.attrelid = e.stxrelid
      and a.attnum = any (e.stxkeys::smallint[])
  ) as numbers
from pg_catalog.pg_statistic_ext e
join pg_catalog.pg_namespace n on n.oid = e.stxnamespace
order by n.nspname, e.stxname;
