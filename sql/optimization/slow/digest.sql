-- digest: the rows of a query as a multiset (two sums of hashes) and as a sequence (one that holds places)
-- needs: PostgreSQL 13   composed: query
select
  pg_catalog.count(*),
  pg_catalog.count(*) filter (where numbered.content ~ '[^(),]'),
  pg_catalog.sum(pg_catalog.hashtextextended(numbered.content, 0)),
  pg_catalog.sum(pg_catalog.hashtextextended(numbered.content, 1)),
  pg_catalog.sum(pg_catalog.hashtextextended(numbered.place || ' ' || numbered.content, 0))
from (
  select workbench_rows::text as content, pg_catalog.row_number() over () as place
  from ({query}) as workbench_rows
) as numbered
