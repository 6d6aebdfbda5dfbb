-- column_range: the least and the greatest moment of a column by the planner's histogram
-- needs: PostgreSQL 13   parameters: schema text, table text, column text
-- a histogram leaves out the most common values
select
  (s.histogram_bounds::text::text[])[1] as least,
  (s.histogram_bounds::text::text[])[pg_catalog.array_length(s.histogram_bounds::text::text[], 1)] as greatest
from pg_catalog.pg_stats s
where s.schemaname = %(schema)s
  and s.tablename = %(table)s
  and s.attname = %(column)s
  and not s.inherited;
