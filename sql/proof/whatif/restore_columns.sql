-- restore_columns: statistics of columns; what is null is not restored
-- needs: PostgreSQL 18   parameters: columns json
select given.schema_name, given.relation_name, given.column_name,
  pg_catalog.pg_restore_attribute_stats(
    'schemaname', given.schema_name, 'relname', given.relation_name, 'attname', given.column_name,
    'inherited', given.inherited, 'null_frac', given.null_frac, 'avg_width', given.avg_width,
    'n_distinct', given.n_distinct, 'most_common_vals', given.most_common_vals,
    'most_common_freqs', given.most_common_freqs, 'histogram_bounds', given.histogram_bounds,
    'correlation', given.correlation, 'most_common_elems', given.most_common_elems,
    'most_common_elem_freqs', given.most_common_elem_freqs,
    'elem_count_histogram', given.elem_count_histogram,
    'range_length_histogram', given.range_length_histogram, 'range_empty_frac', given.range_empty_frac,
    'range_bounds_histogram', given.range_bounds_histogram
  ) as restored
from pg_catalog.json_to_recordset(%(columns)s::json) as given(
  schema_name text, relation_name text, column_name text, inherited boolean, null_frac real,
  avg_width integer, n_distinct real, most_common_vals text, most_common_freqs real[],
  histogram_bounds text, correlation real, most_common_elems text, most_common_elem_freqs real[],
  elem_count_histogram real[], range_length_histogram text, range_empty_frac real,
  range_bounds_histogram text
)
join pg_catalog.pg_namespace n on n.nspname = given.schema_name
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = given.relation_name
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = given.column_name and not a.attisdropped
order by given.schema_name, given.relation_name, given.column_name, given.inherited;
