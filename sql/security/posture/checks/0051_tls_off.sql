-- tls_off: the server listens on the network and has no TLS
-- level: error   needs: PostgreSQL 13   scope: server   reads: all
-- section: 6 PostgreSQL settings   control: Ensure TLS is enabled and configured correctly
-- near miss: a server that listens on sockets or the loopback alone
select
  'tls_off' as "check",
  'error' as severity,
  'server.ssl' as object,
  pg_catalog.format('ssl is off, and the server listens on %%s', listens.setting) as title,
  'Passwords, rows and statements cross the network in clear. Source: CIS PostgreSQL Benchmark, section 6; '
  'PostgreSQL manual, 18.9 Secure TCP/IP Connections with SSL.' as why,
  E'-- with server.crt and server.key in place:\nalter system set ssl = on;\nselect pg_catalog.pg_reload_conf();'
    as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
join pg_catalog.pg_settings listens on listens.name = 'listen_addresses'
where s.name = 'ssl'
  and s.reset_val = 'off'
  and listens.setting !~ '^\s*((localhost|127\.0\.0\.1|::1)\s*(,\s*(localhost|127\.0\.0\.1|::1)\s*)*)?$'
order by object;
