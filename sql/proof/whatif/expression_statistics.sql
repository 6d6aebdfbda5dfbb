-- expression_statistics: what ANALYZE found in a table of evaluated expressions
-- needs: PostgreSQL 18   parameters: schema text, "table" text
select s.attname as column_name, s.null_frac, s.avg_width, s.n_distinct,
  case when ty.typcategory <> 'A' then s.most_common_vals::text::text[] end as most_common_list,
  s.most_common_freqs,
  s.histogram_bounds::text as histogram_bounds, s.correlation,
  s.most_common_elems::text as most_common_elems, s.most_common_elem_freqs, s.elem_count_histogram,
  s.range_length_histogram::text as range_length_histogram, s.range_empty_frac,
  s.range_bounds_histogram::text as range_bounds_histogram
from pg_catalog.pg_stats s
join pg_catalog.pg_namespace n on n.nspname = s.schemaname
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = s.tablename
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = s.attname
join pg_catalog.pg_type ty on ty.oid = a.atttypid
where s.schemaname = %(schema)s
  and s.tablename = %(table)s
order by s.attname;
