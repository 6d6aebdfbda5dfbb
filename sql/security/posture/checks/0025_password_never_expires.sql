-- password_never_expires: logins whose password holds for ever
-- level: info   needs: PostgreSQL 13   scope: server   reads: verifiers
-- section: 5 Connection and login   control: Ensure password complexity is configured (lifetime)
-- near miss: a login without a password, by certificate or by the machine's account
select
  'password_never_expires' as "check",
  'info' as severity,
  pg_catalog.quote_ident(a.rolname) as object,
  pg_catalog.format('the password of %%I never expires', a.rolname) as title,
  'A password that has got away opens the database until somebody notices. Expiry stops logins by password at '
  'that moment, so a program needs a plan for its renewal first. Source: CIS PostgreSQL Benchmark, section 5.'
    as why,
  pg_catalog.format(
    'alter role %%I valid until %%L;', a.rolname, (pg_catalog.now() + interval '1 year')::date
  ) as fix,
  pg_catalog.jsonb_build_object('role', a.rolname) as details
from pg_catalog.pg_authid a
where a.rolcanlogin
  and a.rolpassword is not null
  and coalesce(a.rolvaliduntil, 'infinity') = 'infinity'
order by object;
