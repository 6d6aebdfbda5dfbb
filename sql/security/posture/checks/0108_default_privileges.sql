-- default_privileges: tables, sequences and schemas of the future that are granted to PUBLIC
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all
-- section: 4 User access and authorization   control: Ensure excessive DML privileges are revoked
-- near miss: EXECUTE and USAGE on types, which PUBLIC has by the server's own default; grants to named roles
select
  'default_privileges' as "check",
  'warn' as severity,
  pg_catalog.concat_ws('.', pg_catalog.quote_ident(r.rolname), pg_catalog.quote_ident(n.nspname), kind.name) as object,
  pg_catalog.format(
    'PUBLIC gets %%s on %%s that %%I makes%%s',
    pg_catalog.string_agg(acl.privilege_type, ', ' order by acl.privilege_type), kind.name, r.rolname,
    coalesce(pg_catalog.format(' in %%I', n.nspname), '')
  ) as title,
  'What is made later is open to every role without anybody granting it. Source: PostgreSQL manual, ALTER DEFAULT '
  'PRIVILEGES.' as why,
  pg_catalog.format(
    'alter default privileges for role %%I%%s revoke all on %%s from public;', r.rolname,
    coalesce(pg_catalog.format(' in schema %%I', n.nspname), ''), kind.name
  ) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_default_acl d
join pg_catalog.pg_roles r on r.oid = d.defaclrole
left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
cross join lateral pg_catalog.aclexplode(d.defaclacl) acl
join (
  values ('r'::"char", 'tables'), ('S'::"char", 'sequences'), ('n'::"char", 'schemas')
) as kind(code, name) on kind.code = d.defaclobjtype
where acl.grantee = 0
group by r.rolname, n.nspname, kind.name
order by object;
