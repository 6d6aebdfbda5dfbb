-- log_rotation: the collector never begins a new file
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 3 Logging and auditing   control: Ensure the maximum log file lifetime and the maximum log file size are set correctly
-- near miss: one of the two is set; the collector is off
select
  'log_rotation' as "check",
  'info' as severity,
  'server.log_rotation_age' as object,
  'the log is rotated neither by age nor by size' as title,
  'One file grows until the disk is full, which stops the server, and nothing old can be put away. Source: CIS '
  'PostgreSQL Benchmark, section 3.1, Logging.' as why,
  E'alter system set log_rotation_age = ''1d'';\nselect pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings age
join pg_catalog.pg_settings size on size.name = 'log_rotation_size'
join pg_catalog.pg_settings collector on collector.name = 'logging_collector'
where age.name = 'log_rotation_age'
  and age.reset_val = '0'
  and size.reset_val = '0'
  and collector.reset_val = 'on'
order by object;
