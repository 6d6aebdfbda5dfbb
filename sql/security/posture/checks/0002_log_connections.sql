-- log_connections: who connects and leaves is not logged
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 3 Logging and auditing   control: Ensure 'log_connections' is enabled; ensure 'log_disconnections' is enabled
-- near miss: from PostgreSQL 18 on a list that has authentication or authorization
select
  'log_connections' as "check",
  'info' as severity,
  'server.' || s.name as object,
  pg_catalog.format('%%s is %%s', s.name, coalesce(nullif(s.reset_val, ''), 'empty')) as title,
  'After an incident nobody can tell who was connected, from where, and for how long. Source: CIS PostgreSQL '
  'Benchmark, section 3.1, Logging.' as why,
  pg_catalog.format(E'alter system set %%I = ''on'';\nselect pg_catalog.pg_reload_conf();', s.name) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where s.name in ('log_connections', 'log_disconnections')
  and s.reset_val !~ '^(on|all|true|yes|1)$'
  and s.reset_val !~ '(all|authentication|authorization)'
order by object;
