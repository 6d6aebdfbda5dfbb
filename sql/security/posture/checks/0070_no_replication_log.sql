-- no_replication_log: what standbys and copiers of the cluster ask for is not logged
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 7 Replication   control: Ensure logging of replication commands is configured
-- near miss: the server takes no replication
select
  'no_replication_log' as "check",
  'info' as severity,
  'server.log_replication_commands' as object,
  'log_replication_commands is off' as title,
  'A base backup or a slot of somebody who should not have one leaves no trace. Source: CIS PostgreSQL Benchmark, '
  'section 7.' as why,
  E'alter system set log_replication_commands = on;\nselect pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
join pg_catalog.pg_settings senders on senders.name = 'max_wal_senders'
where s.name = 'log_replication_commands'
  and s.reset_val = 'off'
  and senders.reset_val <> '0'
order by object;
