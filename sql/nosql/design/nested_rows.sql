-- nested_rows: the rows that stand within the rows above, by the number of the row above
-- composed by workbench.documents.design.rows
select
  pg_catalog.row_number() over (order by p.{n}, {order}) as {n},
  p.{n} as {parent},
  c.*
from {source} as c
join ({above}) as p on {joined}
