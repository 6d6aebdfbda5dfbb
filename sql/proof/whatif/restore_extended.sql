-- restore_extended: extended statistics from their bytes
-- needs: PostgreSQL 18, the casts of extended_casts   parameters: objects oid[], inherited boolean[],
--   ndistinct bytea[], dependencies bytea[], mcv bytea[]
insert into pg_catalog.pg_statistic_ext_data
  (stxoid, stxdinherit, stxdndistinct, stxddependencies, stxdmcv)
select given.oid, given.inherited, given.ndistinct::pg_catalog.pg_ndistinct,
  given.dependencies::pg_catalog.pg_dependencies, given.mcv::pg_catalog.pg_mcv_list
from rows from (
  pg_catalog.unnest(%(objects)s::oid[]),
  pg_catalog.unnest(%(inherited)s::boolean[]),
  pg_catalog.unnest(%(ndistinct)s::bytea[]),
  pg_catalog.unnest(%(dependencies)s::bytea[]),
  pg_catalog.unnest(%(mcv)s::bytea[])
) as given(oid, inherited, ndistinct, dependencies, mcv);
