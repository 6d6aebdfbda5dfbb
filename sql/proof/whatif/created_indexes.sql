-- created_indexes: an index with those of its partitions, itself first; files are what is not partitioned
-- needs: PostgreSQL 18   parameters: indexes oid[]
with recursive tree (root, oid) as (
  select given.oid, given.oid
  from pg_catalog.unnest(%(indexes)s::oid[]) as given(oid)
  union all
  select tree.root, h.inhrelid
  from tree
  join pg_catalog.pg_inherits h on h.inhparent = tree.oid
)
select tree.root, tree.oid, c.relkind = 'i' as has_file, n.nspname as schema_name, c.relname as name
from tree
join pg_catalog.pg_class c on c.oid = tree.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
order by tree.root, tree.oid;
