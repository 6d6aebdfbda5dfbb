-- heap_exact: what pgstattuple_approx counts in the tables, reading only pages that are not all visible
-- needs: PostgreSQL 13, the extension pgstattuple   placed in it: schema, relations
select
  selected.oid,
  x.table_len as size_bytes,
  x.approx_tuple_count as rows,
  x.approx_free_space as free_bytes,
  x.dead_tuple_len as dead_bytes
from pg_catalog.unnest({relations}::oid[]) as selected(oid)
cross join lateral {schema}.pgstattuple_approx(selected.oid::pg_catalog.regclass) x
order by selected.oid;
