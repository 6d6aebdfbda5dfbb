-- bucket_rows: rows grouped by the parent that they refer to, each with its rank among those
-- composed by workbench.documents.design.rows
select *
from (
  select
    pg_catalog.row_number() over (order by {keys}, {order}) as {n},
    pg_catalog.row_number() over (partition by {keys} order by {order}) as {rank},
    t.*
  from {source} as t
  where {present}
) as ranked
where ranked.{rank} > {skip}
