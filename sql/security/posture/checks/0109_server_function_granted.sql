-- server_function_granted: functions that reach the server's files, granted to roles that are no superusers
-- level: error   needs: PostgreSQL 13   scope: database   reads: all
-- section: 4 User access and authorization   control: Ensure excessive function privileges are revoked
-- near miss: the predefined roles that have them from the start; superusers
select
  'server_function_granted' as "check",
  'error' as severity,
  pg_catalog.format('%%s.%%s', p.oid::pg_catalog.regprocedure, coalesce(pg_catalog.quote_ident(r.rolname), 'public'))
    as object,
  pg_catalog.format(
    '%%s may call %%s', coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), p.oid::pg_catalog.regprocedure
  ) as title,
  'It reads or writes files as the server''s account: the verifiers of passwords, keys, other databases. Source: '
  'PostgreSQL manual, 9.28.9 Generic File Access Functions; CIS PostgreSQL Benchmark, section 4.' as why,
  pg_catalog.format(
    'revoke execute on function %%s from %%s;', p.oid::pg_catalog.regprocedure,
    coalesce(pg_catalog.quote_ident(r.rolname), 'public')
  ) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_proc p
cross join lateral pg_catalog.aclexplode(p.proacl) acl
left join pg_catalog.pg_roles r on r.oid = acl.grantee
where p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
  and p.proname in (
    'pg_read_file', 'pg_read_binary_file', 'pg_ls_dir', 'pg_stat_file', 'lo_import', 'lo_export',
    'pg_file_write', 'pg_reload_conf'
  )
  and p.proname <> 'pg_reload_conf'
  and acl.privilege_type = 'EXECUTE'
  and coalesce(not r.rolsuper and r.rolname !~ '^pg_', true)
order by object;
