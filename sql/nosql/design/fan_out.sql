-- fan_out: how many children a parent has, and over which time they came
-- composed by workbench.documents.design.statistics; times in seconds
select
  {number} as number,
  (select pg_catalog.count(*) from {parent} as p) as parents,
  coalesce(pg_catalog.sum(g.n), 0)::bigint as children,
  (select pg_catalog.count(*) from {child} as c where not exists (select from {parent} as p where {joined}))
    as orphans,
  pg_catalog.count(*) as with_children,
  pg_catalog.avg(g.n) as mean,
  pg_catalog.percentile_cont(0.5) within group (order by g.n) as median,
  pg_catalog.percentile_cont(0.99) within group (order by g.n) as p99,
  pg_catalog.max(g.n) as maximum,
  pg_catalog.percentile_cont(0.5) within group (order by g.spread) filter (where g.n > 1) as spread_s,
  pg_catalog.max(g.last) - pg_catalog.min(g.first) as span_s,
  pg_catalog.avg((g.n - 1) / (g.spread / 86400)) filter (where g.n > 1 and g.spread > 0) as per_day
from (
  select
    pg_catalog.count(*) as n,
    pg_catalog.min({seconds}) as first,
    pg_catalog.max({seconds}) as last,
    pg_catalog.max({seconds}) - pg_catalog.min({seconds}) as spread
  from {child} as c
  where exists (select from {parent} as p where {joined})
  group by {columns}
) as g
