-- sampled_compression: of sampled values of a column, how many there are and how many are compressed now
-- needs: PostgreSQL 14   placed in it: column, table, share (percent of the pages), rows
select
  pg_catalog.count(s.value_bytes) as long_values,
  pg_catalog.count(s.method) as compressed
from (
  select
    pg_catalog.pg_column_size(t.{column}) as value_bytes,
    pg_catalog.pg_column_compression(t.{column}) as method
  from {table} as t tablesample system ({share}) repeatable (1)
  where pg_catalog.pg_column_size(t.{column}) > 2000
  limit {rows}
) s;
