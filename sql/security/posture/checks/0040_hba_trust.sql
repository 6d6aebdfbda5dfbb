-- hba_trust: rules that let anybody in without a proof
-- level: error   needs: PostgreSQL 13   scope: server   reads: hba
-- section: 5 Connection and login   control: Ensure login via local UNIX domain socket and via host TCP/IP socket is configured correctly
-- near miss: peer, scram-sha-256, cert, reject
select
  'hba_trust' as "check",
  case
    when h.type = 'local' or h.address in ('127.0.0.1', '::1', 'localhost', 'samehost') then 'warn'
    else 'error'
  end as severity,
  'pg_hba.conf:' || h.line_number as object,
  pg_catalog.format(
    'line %%s: %%s %%s %%s %%s trust', h.line_number, h.type, pg_catalog.array_to_string(h.database, ','),
    pg_catalog.array_to_string(h.user_name, ','), h.address
  ) as title,
  'Whoever reaches the server is whoever he says he is, a superuser too; on a socket or the loopback that is every '
  'account and every program of the machine. Source: PostgreSQL manual, 20.4 Trust Authentication; CIS PostgreSQL '
  'Benchmark, section 5.' as why,
  pg_catalog.format(
    E'-- in pg_hba.conf, line %%s, write %%s for trust, and then:\nselect pg_catalog.pg_reload_conf();',
    h.line_number, case when h.type = 'local' then 'peer' else 'scram-sha-256' end
  ) as fix,
  pg_catalog.jsonb_build_object('line', h.line_number) as details
from pg_catalog.pg_hba_file_rules h
where h.auth_method = 'trust'
order by object;
