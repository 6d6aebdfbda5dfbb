-- session_without_tls: clients and standbys that are connected over the network in clear
-- level: warn   needs: PostgreSQL 13   scope: server   reads: sessions
-- section: 5 Connection and login   control: Ensure SSL is used for client connections
-- near miss: a session over a socket or the loopback; one that GSSAPI encrypts
select
  'session_without_tls' as "check",
  'warn' as severity,
  pg_catalog.format('%%s.%%s', pg_catalog.quote_ident(a.usename), pg_catalog.host(a.client_addr)) as object,
  pg_catalog.format(
    '%%I is connected from %%s without encryption%%s', a.usename, pg_catalog.host(a.client_addr),
    case when pg_catalog.bool_or(a.backend_type = 'walsender') then ', for replication' else '' end
  ) as title,
  'What it sends and gets can be read on the way. Source: CIS PostgreSQL Benchmark, sections 5 and 7.' as why,
  E'-- in pg_hba.conf, write hostssl for the line by which it comes, and then:\n'
    'select pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_stat_activity a
join pg_catalog.pg_stat_ssl tls on tls.pid = a.pid
left join pg_catalog.pg_stat_gssapi gss on gss.pid = a.pid
where a.client_addr is not null
  and not a.client_addr <<= '127.0.0.0/8'::inet
  and a.client_addr <> '::1'::inet
  and tls.ssl is false
  and gss.encrypted is not true
group by a.usename, a.client_addr
order by object;
