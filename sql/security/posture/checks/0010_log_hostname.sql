-- log_hostname: each connection waits for a name server
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 3 Logging and auditing   control: Ensure 'log_hostname' is set correctly
-- near miss: the default
select
  'log_hostname' as "check",
  'info' as severity,
  'server.log_hostname' as object,
  'log_hostname is on' as title,
  'Names come from a server that the client may control, and each login waits for it; the address is what can '
  'be relied on. Source: CIS PostgreSQL Benchmark, section 3.1, Logging.' as why,
  E'alter system set log_hostname = off;\nselect pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where s.name = 'log_hostname'
  and s.reset_val = 'on'
order by object;
