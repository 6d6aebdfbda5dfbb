-- updated_now: the session's updates that are not yet in the statistics, and how many of them were HOT
-- needs: PostgreSQL 13   parameters: name text (of a table of the schema workbench_trial)
select
  coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)), 0)::bigint as updated,
  coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_hot_updated(c.oid)), 0)::bigint as hot,
  coalesce(pg_catalog.sum(pg_catalog.pg_table_size(c.oid)), 0)::bigint as table_bytes,
  coalesce(pg_catalog.sum(pg_catalog.pg_indexes_size(c.oid)), 0)::bigint as index_bytes
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'workbench_trial'
  and c.relname = %(name)s;
