-- parameter_granted: roles that may set what only a superuser should
-- level: warn   needs: PostgreSQL 15   scope: server   reads: all
-- section: 6 PostgreSQL settings   control: Ensure superuser parameters are configured correctly
-- near miss: nothing was granted; superusers
select
  'parameter_granted' as "check",
  'warn' as severity,
  pg_catalog.format('%%s.%%s', p.parname, coalesce(pg_catalog.quote_ident(r.rolname), 'public')) as object,
  pg_catalog.format(
    '%%s may %%s %%s', coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'),
    pg_catalog.string_agg(pg_catalog.lower(acl.privilege_type), ' and ' order by acl.privilege_type), p.parname
  ) as title,
  'Such a parameter switches off triggers (session_replication_role) or logging, or loads a library into the '
  'server. Source: PostgreSQL manual, GRANT, ON PARAMETER.' as why,
  pg_catalog.string_agg(
    pg_catalog.format(
      'revoke %%s on parameter %%I from %%s;', pg_catalog.lower(acl.privilege_type), p.parname,
      coalesce(pg_catalog.quote_ident(r.rolname), 'public')
    ), E'\n' order by acl.privilege_type
  ) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_parameter_acl p
cross join lateral pg_catalog.aclexplode(p.paracl) acl
left join pg_catalog.pg_roles r on r.oid = acl.grantee
where coalesce(not r.rolsuper, true)
group by p.parname, r.rolname
order by object;
