-- rate: the rows with a time, and the seconds from the first to the last
-- composed by workbench.documents.design.statistics
select
  {number} as number,
  pg_catalog.count({time}) as rows,
  pg_catalog.max(case when pg_catalog.isfinite({time}) then extract(epoch from {time}) end)
  - pg_catalog.min(case when pg_catalog.isfinite({time}) then extract(epoch from {time}) end) as span_s
from {source} as t
