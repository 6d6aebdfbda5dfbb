-- password_encryption: new passwords are kept as MD5
-- level: error   needs: PostgreSQL 13   scope: server   reads: all
-- section: 5 Connection and login   control: Ensure password encryption is set correctly
-- near miss: scram-sha-256
select
  'password_encryption' as "check",
  'error' as severity,
  'server.password_encryption' as object,
  'password_encryption is ' || s.reset_val as title,
  'A stolen MD5 verifier logs in as it is, without the password. Source: PostgreSQL manual, 20.5 Password '
  'Authentication; CIS PostgreSQL Benchmark, section 5.' as why,
  E'alter system set password_encryption = ''scram-sha-256'';\nselect pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where s.name = 'password_encryption'
  and s.reset_val <> 'scram-sha-256'
order by object;
