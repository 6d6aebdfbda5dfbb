-- log_destination: the log goes to the output of the server's process alone
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 3 Logging and auditing   control: Ensure the log destinations are set correctly; ensure the logging collector is enabled
-- near miss: syslog or the event log, which need no collector
select
  'log_destination' as "check",
  'info' as severity,
  'server' as object,
  'the logging collector is off and log_destination is '
    || pg_catalog.quote_literal(destination.reset_val) as title,
  'What the server logs goes to the standard error of its process: whether it is kept is up to what started '
  'it, and the server neither rotates it nor sets its permissions. Where a service manager or a container''s '
  'platform keeps it, this is as it should be. Source: CIS PostgreSQL Benchmark, section 3.1, Logging.' as why,
  E'alter system set logging_collector = on; -- takes effect at the next start' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings collector
join pg_catalog.pg_settings destination on destination.name = 'log_destination'
where collector.name = 'logging_collector'
  and collector.reset_val = 'off'
  and destination.reset_val !~ '(syslog|eventlog)'
order by object;
