-- column_statistics: what ANALYZE found in each column that the login may read
-- needs: PostgreSQL 13   parameters: none   fields: ranges (what pg_stats has of ranges since 17)
select s.schemaname as schema_name, s.tablename as relation_name, s.attname as column_name,
  s.inherited, s.null_frac, s.avg_width, s.n_distinct,
  s.most_common_vals::text as most_common_vals, s.most_common_freqs,
  s.histogram_bounds::text as histogram_bounds, s.correlation,
  s.most_common_elems::text as most_common_elems, s.most_common_elem_freqs, s.elem_count_histogram,
  {ranges}
from pg_catalog.pg_stats s
where s.schemaname <> 'information_schema'
  and s.schemaname !~ '^pg_'
order by s.schemaname, s.tablename, s.attname, s.inherited;
