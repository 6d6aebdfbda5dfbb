-- public_table: tables and views that every role may read or change
-- level: error   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure excessive DML privileges are revoked
-- near miss: members of extensions; temporary tables; a grant to a named role
with granted as (
  select c.oid, null::name as attname, acl.privilege_type
  from pg_catalog.pg_class c
  cross join lateral pg_catalog.aclexplode(c.relacl) acl
  where c.relnamespace = any(%(schemas)s::oid[])
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and acl.grantee = 0
  union all
  select c.oid, a.attname, acl.privilege_type
  from pg_catalog.pg_class c
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and not a.attisdropped and a.attacl is not null
  cross join lateral pg_catalog.aclexplode(a.attacl) acl
  where c.relnamespace = any(%(schemas)s::oid[])
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and acl.grantee = 0
)
select
  'public_table' as "check",
  case
    when pg_catalog.bool_or(g.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')) then 'error'
    else 'warn'
  end as severity,
  pg_catalog.format('%%I.%%I', n.nspname, c.relname) as object,
  pg_catalog.format(
    'PUBLIC has %%s on %%I.%%I',
    pg_catalog.string_agg(distinct g.privilege_type, ', ' order by g.privilege_type), n.nspname, c.relname
  ) as title,
  'Every role of the cluster has it, those made later for something else too. Source: CIS PostgreSQL Benchmark, '
  'section 4; PostgreSQL manual, 5.8 Privileges.' as why,
  pg_catalog.format('revoke all on table %%I.%%I from public;', n.nspname, c.relname)
    || coalesce(E'\n' || pg_catalog.string_agg(distinct pg_catalog.format(
      'revoke all (%%I) on table %%I.%%I from public;', g.attname, n.nspname, c.relname
    ), E'\n') filter (where g.attname is not null), '') as fix,
  pg_catalog.jsonb_build_object(
    'schema', n.nspname,
    'table', c.relname,
    'columns', pg_catalog.jsonb_agg(distinct g.attname) filter (where g.attname is not null),
    'privileges', pg_catalog.jsonb_agg(distinct g.privilege_type)
  ) as details
from granted g
join pg_catalog.pg_class c on c.oid = g.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relpersistence <> 't'
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.objid = c.oid
      and d.deptype = 'e'
  )
group by n.nspname, c.relname
order by object;
