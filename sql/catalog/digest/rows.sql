-- rows: how many rows a table has, and a hash of them whatever their order
-- composed: label (literal), table (identifier); one of a union
select
  {label} as label,
  pg_catalog.concat(
    pg_catalog.count(*), ':', coalesce(pg_catalog.sum(pg_catalog.hashtextextended((t.*)::text, 0)), 0)
  ) as digest
from only {table} t
