-- partition_conditions: what a row must satisfy to belong to a partition that stores rows
-- needs: PostgreSQL 13
-- a default partition that is alone takes every row: its condition is null
select
  n.nspname as schema,
  c.relname as name,
  pg_catalog.pg_get_partition_constraintdef(c.oid) as condition
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relispartition
  and c.relkind = 'r'
order by n.nspname, c.relname;
