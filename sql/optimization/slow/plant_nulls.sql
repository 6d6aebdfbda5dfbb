-- plant_nulls: NULL for a column of some rows of a table
-- needs: PostgreSQL 13   composed: table, column, looked_at, most
update {table} as planted
set {column} = null
from (
  select looked_at.tableoid, looked_at.ctid
  from (select tableoid, ctid from {table} limit {looked_at}) as looked_at
  order by pg_catalog.hashtextextended(looked_at.ctid::text, 0)
  limit {most}
) as chosen
where planted.tableoid = chosen.tableoid
  and planted.ctid = chosen.ctid
