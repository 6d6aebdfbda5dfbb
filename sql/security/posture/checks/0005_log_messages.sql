-- log_messages: messages or the statements of errors are held back from the log
-- level: warn   needs: PostgreSQL 13   scope: server   reads: all
-- section: 3 Logging and auditing   control: Ensure the correct messages are written to the server log; ensure the correct SQL statements generating errors are recorded
-- near miss: more than the default
select
  'log_messages' as "check",
  'warn' as severity,
  'server.' || s.name as object,
  pg_catalog.format('%%s is %%s', s.name, s.reset_val) as title,
  case s.name
    when 'log_min_messages'
      then 'Warnings or errors, refused logins and refused privileges among them, are not logged. '
    else 'An error is logged without the statement that raised it: an attack by injection cannot be seen. '
  end || 'Source: CIS PostgreSQL Benchmark, section 3.1, Logging.' as why,
  pg_catalog.format(E'alter system set %%I = %%L;\nselect pg_catalog.pg_reload_conf();', s.name, s.boot_val)
    as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where (s.name = 'log_min_messages' and s.reset_val in ('error', 'log', 'fatal', 'panic'))
  or (s.name = 'log_min_error_statement' and s.reset_val in ('log', 'fatal', 'panic'))
order by object;
