-- index_exact: what pgstatindex counts in the B-trees, reading all of their pages
-- needs: PostgreSQL 13, the extension pgstattuple   placed in it: schema, relations
-- the density of an index without a leaf is NaN
select
  selected.oid,
  x.index_size as size_bytes,
  x.leaf_pages,
  x.empty_pages,
  x.deleted_pages,
  nullif(x.avg_leaf_density, 'NaN') as density_percent
from pg_catalog.unnest({relations}::oid[]) as selected(oid)
cross join lateral {schema}.pgstatindex(selected.oid::pg_catalog.regclass) x
order by selected.oid;
