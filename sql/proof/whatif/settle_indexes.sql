-- settle_indexes: pages and rows of candidates that have files of their own
-- needs: PostgreSQL 18   parameters: indexes oid[], pages integer[], rows real[]
update pg_catalog.pg_class c
set relpages = given.pages, reltuples = given.rows
from rows from (
  pg_catalog.unnest(%(indexes)s::oid[]),
  pg_catalog.unnest(%(pages)s::integer[]),
  pg_catalog.unnest(%(rows)s::real[])
) as given(oid, pages, rows)
where c.oid = given.oid;
