-- superuser: superusers beside the one that the cluster began with
-- level: warn   needs: PostgreSQL 13   scope: server   reads: all
-- section: 4 User access and authorization   control: Ensure excessive administrative privileges are revoked
-- near miss: the bootstrap superuser, which cannot be taken away
select
  'superuser' as "check",
  'warn' as severity,
  pg_catalog.quote_ident(r.rolname) as object,
  pg_catalog.format('%%I is a superuser', r.rolname) as title,
  'A superuser is asked for no privilege and no policy, reads and writes the server''s files and runs programs '
  'on its machine. Source: CIS PostgreSQL Benchmark, section 4, User access and authorization.' as why,
  pg_catalog.format('alter role %%I nosuperuser;', r.rolname) as fix,
  pg_catalog.jsonb_build_object('role', r.rolname) as details
from pg_catalog.pg_roles r
where r.rolsuper
  and r.oid <> 10
order by object;
