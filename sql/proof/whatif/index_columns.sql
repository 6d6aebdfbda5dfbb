-- index_columns: the columns of indexes with what decides their width, in order
-- needs: PostgreSQL 18   parameters: indexes oid[] (of indexes with files of their own)
-- deduplicates: the operator class says that equal values have one image (support function 4)
select i.indexrelid as index_oid, i.indrelid as table_oid, i.indisunique as is_unique,
  coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), '') as predicate,
  am.amname as method, t.reltuples as table_rows, t.relpages as table_pages,
  c.relname as index_name, n.nspname as schema_name,
  t.relname as table_name, a.attname as index_column,
  a.attnum <= i.indnkeyatts as is_key, i.indkey[a.attnum - 1] = 0 as is_expression,
  pg_catalog.pg_get_indexdef(i.indexrelid, a.attnum, false) as expression,
  ty.typlen as length, ty.typalign as alignment,
  exists (
    select
    from pg_catalog.pg_opclass oc
    join pg_catalog.pg_amproc p
      on p.amprocfamily = oc.opcfamily
      and p.amproclefttype = oc.opcintype
      and p.amprocrighttype = oc.opcintype
      and p.amprocnum = 4
    where a.attnum <= i.indnkeyatts
      and oc.oid = i.indclass[a.attnum - 1]
  ) and coalesce(co.collisdeterministic, true) as deduplicates,
  s.avg_width, coalesce(s.null_frac, 0) as null_frac, coalesce(s.n_distinct, 0) as n_distinct,
  coalesce(s.most_common_freqs, '{}') as shares,
  pg_catalog.pg_relation_filepath(i.indexrelid) as path
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_am am on am.oid = c.relam
join pg_catalog.pg_class t on t.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = t.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = i.indexrelid
join pg_catalog.pg_type ty on ty.oid = a.atttypid
left join pg_catalog.pg_collation co on co.oid = a.attcollation
left join pg_catalog.pg_attribute ta on ta.attrelid = i.indrelid and ta.attnum = i.indkey[a.attnum - 1]
left join pg_catalog.pg_stats s
  on s.schemaname = n.nspname
  and s.tablename = case when i.indkey[a.attnum - 1] = 0 then c.relname else t.relname end
  and s.attname = case when i.indkey[a.attnum - 1] = 0 then a.attname else ta.attname end
  and not s.inherited
where i.indexrelid = any (%(indexes)s::oid[])
order by i.indexrelid, a.attnum;
