-- quantile: the value at a share of the rows
-- composed by workbench.documents.design.sampling
select {text}
from (
  select pg_catalog.percentile_disc({share}) within group (order by {column}) as value
  from {source} as t
) as v
