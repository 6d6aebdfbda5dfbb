-- table_files: the tables of candidates with all their partitions, and their files
-- needs: PostgreSQL 18   parameters: schemas text[], tables text[]
with recursive tree (oid) as (
  select c.oid
  from rows from (
    pg_catalog.unnest(%(schemas)s::text[]),
    pg_catalog.unnest(%(tables)s::text[])
  ) as given(schema_name, table_name)
  join pg_catalog.pg_namespace n on n.nspname = given.schema_name
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = given.table_name
  union
  select h.inhrelid
  from tree
  join pg_catalog.pg_inherits h on h.inhparent = tree.oid
)
select c.oid, pg_catalog.pg_relation_filepath(c.oid) as path
from tree
join pg_catalog.pg_class c on c.oid = tree.oid
where c.relkind in ('r', 'm')
order by c.oid;
