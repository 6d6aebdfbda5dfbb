-- no_checksums: damage of the files is not noticed
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 8 Special considerations   control: Ensure miscellaneous configuration settings are correct
-- near miss: checksums are on
select
  'no_checksums' as "check",
  'info' as severity,
  'server.data_checksums' as object,
  'data_checksums is off' as title,
  'A page that the disk, or somebody by the file, has changed is read as if nothing had happened, and goes into the '
  'backups. Source: PostgreSQL manual, 28.2 Data Checksums.' as why,
  E'-- stop the server, run pg_checksums --enable on its data directory, and start it:\nshow data_checksums;' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where s.name = 'data_checksums'
  and s.setting = 'off'
order by object;
