-- server: since when activity is counted, what vacuum is told to do, and who else answers queries
-- needs: PostgreSQL 13
-- counters that were never reset are at least as old as the server's start
select
  pg_catalog.current_setting('server_version_num')::int as version,
  pg_catalog.current_setting('block_size')::int as block_bytes,
  pg_catalog.now() as asked_at,
  d.stats_reset as reset_at,
  pg_catalog.pg_postmaster_start_time() as started_at,
  pg_catalog.pg_is_in_recovery() as is_replica,
  (select pg_catalog.count(*) from pg_catalog.pg_stat_replication) as replicas,
  coalesce(
    pg_catalog.pg_has_role('pg_read_all_stats', 'usage')
    or (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user),
    false
  ) as sees_all_sessions,
  (
    select pg_catalog.jsonb_object_agg(s.name, s.setting)
    from pg_catalog.pg_settings s
    where s.name like 'autovacuum%%'
      or s.name in ('track_counts', 'vacuum_failsafe_age', 'vacuum_multixact_failsafe_age',
        'default_toast_compression')
  ) as settings,
  (
    select s.enumvals @> array['lz4']
    from pg_catalog.pg_settings s
    where s.name = 'default_toast_compression'
  ) as has_lz4
from pg_catalog.pg_stat_database d
where d.datname = pg_catalog.current_database();
