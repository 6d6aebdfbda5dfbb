-- rights: the statements that give the objects of a copy the owners and privileges that they have here
-- needs: PostgreSQL 13   parameters: schemas oid[], ours text[]
-- left out: owners that are superusers, so that no function of a copy runs as one
with owned as (
  select
    1 as step,
    pg_catalog.format('schema %%I', n.nspname) as object,
    n.nspowner as owner,
    coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner)) as acl,
    'schema' as kind,
    null::text as columns
  from pg_catalog.pg_namespace n
  where n.oid = any(%(schemas)s::oid[])
  union all
  select
    2,
    pg_catalog.format('%%s %%I.%%I', kind.name, n.nspname, c.relname),
    c.relowner,
    coalesce(c.relacl, pg_catalog.acldefault(case when c.relkind = 'S' then 's' else 'r' end::"char", c.relowner)),
    kind.name,
    null
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join (
    values
      ('r'::"char", 'table'), ('p'::"char", 'table'), ('v'::"char", 'table'), ('m'::"char", 'table'),
      ('f'::"char", 'table'), ('S'::"char", 'sequence')
  ) as kind(code, name) on kind.code = c.relkind
  where c.relnamespace = any(%(schemas)s::oid[])
    and c.relpersistence <> 't'
    and not exists (
      select
      from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        and d.objid = c.oid
        and d.deptype in ('e', 'i')
    )
  union all
  select
    2,
    pg_catalog.format('table %%I.%%I', n.nspname, c.relname),
    null,
    a.attacl,
    'column',
    pg_catalog.quote_ident(a.attname)
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attacl is not null and not a.attisdropped
  where c.relnamespace = any(%(schemas)s::oid[])
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
  union all
  select
    3,
    pg_catalog.format(
      '%%s %%I.%%I(%%s)', case when p.prokind = 'p' then 'procedure' else 'function' end, n.nspname, p.proname,
      pg_catalog.pg_get_function_identity_arguments(p.oid)
    ),
    p.proowner,
    coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner)),
    'function',
    null
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where p.pronamespace = any(%(schemas)s::oid[])
    and p.prokind in ('f', 'p', 'w')
    and not exists (
      select
      from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        and d.objid = p.oid
        and d.deptype = 'e'
    )
)
select o.step * 10 as step, pg_catalog.format('alter %%s owner to %%I', o.object, r.rolname) as statement
from owned o
join pg_catalog.pg_roles r on r.oid = o.owner
where not r.rolsuper
  and r.rolname <> all(%(ours)s::text[])
  and r.rolname !~ '^pg_'
union all
select o.step * 10 + 1, pg_catalog.format('revoke all on %%s from public', o.object)
from owned o
where o.kind in ('schema', 'function')
union all
select o.step * 10 + 2, pg_catalog.format(
  'grant %%s%%s on %%s to %%s%%s', acl.privilege_type, coalesce(' (' || o.columns || ')', ''), o.object,
  case when acl.grantee = 0 then 'public' else pg_catalog.quote_ident(r.rolname) end,
  case when acl.is_grantable and acl.grantee <> 0 then ' with grant option' else '' end
)
from owned o
cross join lateral pg_catalog.aclexplode(o.acl) acl
left join pg_catalog.pg_roles r on r.oid = acl.grantee
where acl.grantee is distinct from o.owner
  and (acl.grantee = 0 or (not r.rolsuper and r.rolname <> all(%(ours)s::text[])))
union all
select 50, pg_catalog.format(
  'alter default privileges for role %%I%%s grant %%s on %%s to %%s', owner.rolname,
  coalesce(pg_catalog.format(' in schema %%I', n.nspname), ''), acl.privilege_type, kind.name,
  case when acl.grantee = 0 then 'public' else pg_catalog.quote_ident(r.rolname) end
)
from pg_catalog.pg_default_acl d
join pg_catalog.pg_roles owner on owner.oid = d.defaclrole and not owner.rolsuper
left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
cross join lateral pg_catalog.aclexplode(d.defaclacl) acl
left join pg_catalog.pg_roles r on r.oid = acl.grantee
join (
  values ('r'::"char", 'tables'), ('S'::"char", 'sequences'), ('f'::"char", 'functions')
) as kind(code, name) on kind.code = d.defaclobjtype
where owner.rolname <> all(%(ours)s::text[])
  and acl.grantee <> d.defaclrole
  and (acl.grantee = 0 or (not r.rolsuper and r.rolname <> all(%(ours)s::text[])))
order by step, statement;
