-- tables_beneath: the given tables with the partitions beneath them, to which rows go that are written to them
-- needs: PostgreSQL 13   parameters: names text[]
select distinct
  given.name as given,
  n.nspname as schema,
  c.relname as name
from pg_catalog.unnest(%(names)s::text[]) as given(name)
cross join lateral (
  select pg_catalog.to_regclass(given.name)::oid as relid
  union
  select tree.relid::oid
  from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(given.name)) as tree
) as beneath
join pg_catalog.pg_class c on c.oid = beneath.relid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
order by given.name, n.nspname, c.relname;
