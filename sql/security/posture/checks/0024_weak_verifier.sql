-- weak_verifier: passwords kept as MD5, or as SCRAM of few rounds
-- level: warn   needs: PostgreSQL 13   scope: server   reads: verifiers
-- section: 5 Connection and login   control: Ensure password encryption is set correctly
-- near miss: SCRAM-SHA-256 of 4096 rounds or more; a role without a password or without a login
select
  'weak_verifier' as "check",
  'warn' as severity,
  pg_catalog.quote_ident(a.rolname) as object,
  pg_catalog.format(
    'the password of %%I is kept as %%s', a.rolname,
    case when a.rolpassword ~ '^md5' then 'MD5' else 'SCRAM-SHA-256 of few rounds' end
  ) as title,
  'A stolen MD5 verifier logs in as it is, without the password, and a password is found from it at billions of '
  'guesses a second; version 18 calls it deprecated. Source: PostgreSQL manual, 20.5 Password Authentication; '
  'CIS PostgreSQL Benchmark, section 5.' as why,
  pg_catalog.format(
    E'set password_encryption = ''scram-sha-256'';\n-- then its holder sets the password anew: \\password %%I\n'
    'alter role %%I password null; -- or, until then, nobody logs in with it', a.rolname, a.rolname
  ) as fix,
  pg_catalog.jsonb_build_object('role', a.rolname) as details
from pg_catalog.pg_authid a
where a.rolcanlogin
  and (
    a.rolpassword ~ '^md5'
    or (
      a.rolpassword ~ '^SCRAM-SHA-256\$\d+:'
      and pg_catalog.substring(a.rolpassword, '^SCRAM-SHA-256\$(\d+):')::bigint < 4096
    )
  )
order by object;
