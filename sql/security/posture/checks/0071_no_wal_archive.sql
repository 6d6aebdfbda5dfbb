-- no_wal_archive: the WAL is not archived, or archiving fails
-- level: warn   needs: PostgreSQL 13   scope: server   reads: all
-- section: 7 Replication   control: Ensure WAL archiving is configured and functional
-- near miss: somebody receives the WAL by a slot; a failure that a success followed
select
  'no_wal_archive' as "check",
  case when mode.reset_val = 'off' then 'info' else 'warn' end as severity,
  'server.archive_mode' as object,
  case
    when mode.reset_val = 'off' then 'archive_mode is off, and no slot keeps the WAL for a receiver'
    else pg_catalog.format('archiving the WAL fails since %%s', a.last_failed_time)
  end as title,
  'Without it a backup can be restored to its own moment and no other, and files that cannot be archived fill the '
  'disk. Source: CIS PostgreSQL Benchmark, section 7; PostgreSQL manual, 25.3 Continuous Archiving.' as why,
  case
    when mode.reset_val = 'off' then E'-- with archive_command or archive_library of your backup tool:\n'
      'alter system set archive_mode = on; -- takes effect at the next start'
    else E'select last_failed_wal, last_failed_time from pg_catalog.pg_stat_archiver;\n'
      '-- the server''s log has the reason'
  end as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings mode
cross join pg_catalog.pg_stat_archiver a
where mode.name = 'archive_mode'
  and not pg_catalog.pg_is_in_recovery()
  and (
    (
      mode.reset_val = 'off'
      and not exists (
        select
        from pg_catalog.pg_replication_slots slot
        where slot.slot_type = 'physical'
      )
    )
    or (
      mode.reset_val <> 'off'
      and a.last_failed_time is not null
      and a.last_failed_time > coalesce(a.last_archived_time, '-infinity')
    )
  )
order by object;
