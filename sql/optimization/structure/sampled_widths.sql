-- sampled_widths: the mean bytes of whole rows as they stand and in another order, among sampled rows
-- needs: PostgreSQL 13   placed in it: share (percent of the pages), rows
select
  pg_catalog.count(*) as rows,
  pg_catalog.avg(pg_catalog.ceil(s.now_bytes / 8.0) * 8)::float8 as now_bytes,
  pg_catalog.avg(pg_catalog.ceil(s.best_bytes / 8.0) * 8)::float8 as best_bytes
from (
  select
    pg_catalog.pg_column_size(row({now})) as now_bytes,
    pg_catalog.pg_column_size(row({best})) as best_bytes
  from {table} as t tablesample system ({share}) repeatable (1)
  limit {rows}
) s;
