-- invalid_parts: what an index that could not be made has left on its table and the partitions beneath it
-- needs: PostgreSQL 13   parameters: table text, name text
-- on a partition, an index that belongs to no other one and is younger than the parent's
with tables as (
  select pg_catalog.to_regclass(%(table)s)::oid as relid
  union
  select tree.relid::oid
  from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(%(table)s)) as tree
),
made as (
  select c.oid
  from pg_catalog.pg_class c
  join pg_catalog.pg_index i on i.indexrelid = c.oid
  where i.indrelid = pg_catalog.to_regclass(%(table)s)
    and c.relname = %(name)s
)
select n.nspname as schema, c.relname as name
from tables t
join pg_catalog.pg_index i on i.indrelid = t.relid
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.oid in (select made.oid from made)
  or (
    c.oid > (select made.oid from made)
    and c.relkind = 'i'
    and not exists (select from pg_catalog.pg_inherits inh where inh.inhrelid = c.oid)
    and exists (select from pg_catalog.pg_class p where p.oid = pg_catalog.to_regclass(%(table)s) and p.relkind = 'p')
  )
order by c.oid in (select made.oid from made) desc, n.nspname, c.relname;
