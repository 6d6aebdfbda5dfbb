-- public_definer_function: functions with their owner's rights that every role may call
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure excessive function privileges are revoked
-- near miss: functions of triggers, which nobody can call; members of extensions; EXECUTE revoked from PUBLIC
select
  'public_definer_function' as "check",
  'warn' as severity,
  pg_catalog.format('%%I.%%I(%%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))
    as object,
  pg_catalog.format('PUBLIC may call %%I.%%I, which runs with its owner''s rights', n.nspname, p.proname) as title,
  'A new function may be called by everybody until that is revoked, and this one does what its owner may. Source: '
  'PostgreSQL manual, CREATE FUNCTION, Writing SECURITY DEFINER Functions Safely; CIS PostgreSQL Benchmark, '
  'section 4.' as why,
  pg_catalog.format(
    E'revoke execute on %%s %%I.%%I(%%s) from public;\n-- and grant execute to the roles that need it',
    case when p.prokind = 'p' then 'procedure' else 'function' end, n.nspname, p.proname,
    pg_catalog.pg_get_function_identity_arguments(p.oid)
  ) as fix,
  pg_catalog.jsonb_build_object('schema', n.nspname, 'function', p.proname, 'oid', p.oid) as details
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where p.pronamespace = any(%(schemas)s::oid[])
  and p.prosecdef
  and p.prorettype not in ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
  and exists (
    select
    from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) acl
    where acl.grantee = 0
      and acl.privilege_type = 'EXECUTE'
  )
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      and d.objid = p.oid
      and d.deptype = 'e'
  )
order by object;
