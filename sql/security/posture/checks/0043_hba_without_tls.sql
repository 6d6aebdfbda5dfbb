-- hba_without_tls: rules that accept a connection over the network in clear
-- level: warn   needs: PostgreSQL 13   scope: server   reads: hba
-- section: 5 Connection and login   control: Ensure SSL is used for client connections
-- near miss: hostssl and hostgssenc; the loopback; an earlier rule that rejects hostnossl for all
select
  'hba_without_tls' as "check",
  'warn' as severity,
  'pg_hba.conf:' || h.line_number as object,
  pg_catalog.format(
    'line %%s: %%s %%s %%s %%s may come without TLS', h.line_number, h.type,
    pg_catalog.array_to_string(h.database, ','), pg_catalog.array_to_string(h.user_name, ','), h.address
  ) as title,
  'Whoever is on the way reads and changes what is sent, and SCRAM without channel binding does not notice a '
  'server in between. Source: CIS PostgreSQL Benchmark, section 5; PostgreSQL manual, 20.1 The pg_hba.conf File.'
    as why,
  pg_catalog.format(
    E'-- in pg_hba.conf, line %%s, write hostssl for %%s, and then:\nselect pg_catalog.pg_reload_conf();',
    h.line_number, h.type
  ) as fix,
  pg_catalog.jsonb_build_object('line', h.line_number) as details
from pg_catalog.pg_hba_file_rules h
where h.type in ('host', 'hostnossl')
  and h.auth_method not in ('reject', 'gss', 'sspi')
  and h.address not in ('127.0.0.1', '::1', 'localhost', 'samehost')
  and not exists (
    select
    from pg_catalog.pg_hba_file_rules earlier
    where earlier.line_number < h.line_number
      and earlier.type = 'hostnossl'
      and earlier.auth_method = 'reject'
      and (
        earlier.address = 'all'
        or (
          earlier.netmask in ('0.0.0.0', '::')
          and (pg_catalog.strpos(earlier.address, ':') = 0) = (pg_catalog.strpos(h.address, ':') = 0)
        )
      )
      and 'all' = any(earlier.database)
      and 'all' = any(earlier.user_name)
  )
order by object;
