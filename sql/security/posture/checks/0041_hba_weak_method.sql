-- hba_weak_method: rules of password, md5 or ident
-- level: error   needs: PostgreSQL 13   scope: server   reads: hba
-- section: 5 Connection and login   control: Ensure login via host TCP/IP socket is configured correctly; ensure password encryption is set correctly
-- near miss: scram-sha-256; cert; password within an encrypted connection is said to be milder
select
  'hba_weak_method' as "check",
  case
    when h.auth_method = 'password'
      and (h.type in ('local', 'hostssl', 'hostgssenc') or h.address in ('127.0.0.1', '::1', 'localhost'))
      then 'warn'
    when h.auth_method = 'password' then 'error'
    else 'warn'
  end as severity,
  'pg_hba.conf:' || h.line_number as object,
  pg_catalog.format(
    'line %%s: %%s %%s %%s %%s %%s', h.line_number, h.type, pg_catalog.array_to_string(h.database, ','),
    pg_catalog.array_to_string(h.user_name, ','), h.address, h.auth_method
  ) as title,
  case h.auth_method
    when 'password' then 'The password crosses the network as it is. '
    when 'md5' then 'It asks for SCRAM where the verifier is one, and else for MD5, whose stolen verifier logs in; '
      'with scram-sha-256 the rule refuses that. '
    else 'The client''s own machine is asked who the client is. '
  end || 'Source: PostgreSQL manual, 20.5 Password Authentication and 20.8 Ident Authentication; CIS PostgreSQL '
  'Benchmark, section 5.' as why,
  pg_catalog.format(
    E'-- in pg_hba.conf, line %%s, write scram-sha-256 for %%s, and then:\nselect pg_catalog.pg_reload_conf();',
    h.line_number, h.auth_method
  ) as fix,
  pg_catalog.jsonb_build_object('line', h.line_number) as details
from pg_catalog.pg_hba_file_rules h
where h.auth_method in ('password', 'md5', 'ident')
order by object;
