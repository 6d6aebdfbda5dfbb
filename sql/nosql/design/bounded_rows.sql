-- bounded_rows: as nested_rows, of each row above no more than the first ones
-- composed by workbench.documents.design.rows
select *
from (
  select
    pg_catalog.row_number() over (order by p.{n}, {order}) as {n},
    p.{n} as {parent},
    pg_catalog.row_number() over (partition by p.{n} order by {order}) as {rank},
    c.*
  from {source} as c
  join ({above}) as p on {joined}
) as ranked
where ranked.{rank} <= {bound}
