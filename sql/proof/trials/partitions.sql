-- partitions: the partitions beneath partitioned tables, each after what it is a part of
-- needs: PostgreSQL 13   parameters: names text[]
select
  given.name as given,
  n.nspname as schema,
  c.relname as name,
  pn.nspname as parent_schema,
  p.relname as parent_name,
  tree.level,
  c.relkind = 'p' as partitioned
from pg_catalog.unnest(%(names)s::text[]) as given(name)
cross join lateral pg_catalog.pg_partition_tree(pg_catalog.to_regclass(given.name)) as tree
join pg_catalog.pg_class c on c.oid = tree.relid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_class p on p.oid = tree.parentrelid
join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
where tree.level > 0
order by given.name, tree.level, n.nspname, c.relname;
