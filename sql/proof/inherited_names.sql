-- inherited_names: under which names the copies that partitions have of a constraint or index report a refusal
-- needs: PostgreSQL 13
with recursive constraint_copies as (
  select con.oid, con.oid as root
  from pg_catalog.pg_constraint con
  where con.conparentid = 0
  union all
  select con.oid, c.root
  from constraint_copies c
  join pg_catalog.pg_constraint con on con.conparentid = c.oid
),
index_copies as (
  select i.oid, i.oid as root
  from pg_catalog.pg_class i
  where i.relkind = 'I'
  union all
  select inh.inhrelid, c.root
  from index_copies c
  join pg_catalog.pg_inherits inh on inh.inhparent = c.oid
),
names as (
  select root.conrelid as root_relation, root.conname as root_name, con.conrelid as relation, con.conname as name
  from constraint_copies c
  join pg_catalog.pg_constraint root on root.oid = c.root
  join pg_catalog.pg_constraint con on con.oid = c.oid
  where c.oid <> c.root
    and con.conrelid <> 0
  union
  select root.indrelid, root_class.relname, i.indrelid, class.relname
  from index_copies c
  join pg_catalog.pg_index root on root.indexrelid = c.root
  join pg_catalog.pg_class root_class on root_class.oid = c.root
  join pg_catalog.pg_index i on i.indexrelid = c.oid
  join pg_catalog.pg_class class on class.oid = c.oid
  where c.oid <> c.root
)
select
  rn.nspname as root_schema,
  rc.relname as root_table,
  names.root_name,
  n.nspname as schema,
  c.relname as "table",
  names.name
from names
join pg_catalog.pg_class rc on rc.oid = names.root_relation
join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
join pg_catalog.pg_class c on c.oid = names.relation
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
order by rn.nspname, rc.relname, names.root_name, n.nspname, c.relname, names.name;
