-- column_values: how many rows the table has, and how many of them have a value in each of the columns
-- needs: PostgreSQL 13
select
  pg_catalog.count(*) as rows,
  {counts}
from {table} as t;
