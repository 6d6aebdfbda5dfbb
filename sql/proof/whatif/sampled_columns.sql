-- sampled_columns: the columns of tables that are narrow enough to be sampled, with their statistics
-- needs: PostgreSQL 18   parameters: tables oid[], widest integer (bytes on average)
select c.oid as table_oid, n.nspname as schema_name, c.relname as table_name, c.reltuples as rows,
  pg_catalog.pg_relation_size(c.oid) / 8192 as pages, a.attname as column_name,
  coalesce(s.avg_width, case when a.attlen > 0 then a.attlen else 32 end) as width,
  s.null_frac, coalesce(s.n_distinct, 0) as n_distinct,
  coalesce(s.correlation, 0) as correlation, s.most_common_freqs as shares,
  case when ty.typcategory <> 'A' then s.most_common_vals::text::text[] end as common,
  case when ty.typcategory <> 'A' then s.histogram_bounds::text::text[] end as bounds
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type ty on ty.oid = a.atttypid
left join pg_catalog.pg_stats s
  on s.schemaname = n.nspname
  and s.tablename = c.relname
  and s.attname = a.attname
  and not s.inherited
where c.oid = any (%(tables)s::oid[])
  and c.relkind in ('r', 'm')
  and coalesce(s.avg_width, case when a.attlen > 0 then a.attlen else 32 end) <= %(widest)s
order by c.oid, a.attnum;
