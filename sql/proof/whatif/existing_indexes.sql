-- existing_indexes: the indexes of the source as they are in the clone
-- needs: PostgreSQL 18   parameters: none
-- needed: a constraint of the table, or a foreign key that points at it, stands on the index
select c.oid, n.nspname as schema_name, t.relname as table_name, c.relname as name,
  pg_catalog.pg_get_indexdef(c.oid) as definition, i.indisunique as is_unique, i.indisvalid as is_valid,
  am.amname as method, c.relkind = 'I' as is_partitioned, h.inhparent as parent_oid,
  i.indisreplident as is_replica_identity, i.indisclustered as is_clustered,
  array(
    select con.conname::text
    from pg_catalog.pg_constraint con
    where con.conindid = c.oid
    order by con.conname
  ) as constraints,
  case when c.relkind = 'i' then pg_catalog.pg_relation_size(c.oid) else 0 end as size_bytes
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_class t on t.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_am am on am.oid = c.relam
left join pg_catalog.pg_inherits h on h.inhrelid = c.oid
where n.nspname <> 'information_schema'
  and n.nspname !~ '^pg_'
order by n.nspname, t.relname, c.relname;
