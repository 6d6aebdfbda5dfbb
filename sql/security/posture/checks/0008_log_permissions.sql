-- log_permissions: every account of the machine may read the log
-- level: warn   needs: PostgreSQL 13   scope: server   reads: settings
-- section: 3 Logging and auditing   control: Ensure the log file permissions are set correctly
-- near miss: readable by a group; the collector is off, so that the setting has no effect
select
  'log_permissions' as "check",
  'warn' as severity,
  'server.log_file_mode' as object,
  'log_file_mode is ' || s.setting as title,
  'The log holds statements with their values, names and addresses. Source: CIS PostgreSQL Benchmark, section '
  '3.1, Logging.' as why,
  E'alter system set log_file_mode = ''0600'';\nselect pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
join pg_catalog.pg_settings collector on collector.name = 'logging_collector'
where s.name = 'log_file_mode'
  and pg_catalog.right(s.setting, 1) <> '0'
  and collector.reset_val = 'on'
order by object;
