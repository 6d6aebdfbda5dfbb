-- log_verbosity: errors are logged without their detail, their hint and the statement's context
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 3 Logging and auditing   control: Ensure 'log_error_verbosity' is set correctly
-- near miss: default and verbose
select
  'log_verbosity' as "check",
  'info' as severity,
  'server.log_error_verbosity' as object,
  'log_error_verbosity is terse' as title,
  'Without DETAIL, HINT, QUERY and CONTEXT an error can often not be traced to what raised it. Source: CIS '
  'PostgreSQL Benchmark, section 3.1, Logging.' as why,
  E'alter system set log_error_verbosity = ''default'';\nselect pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where s.name = 'log_error_verbosity'
  and s.reset_val = 'terse'
order by object;
