-- policy_without_rls: policies on a table whose row security is off
-- level: error   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: row security is on
select
  'policy_without_rls' as "check",
  'error' as severity,
  pg_catalog.format('%%I.%%I', n.nspname, c.relname) as object,
  pg_catalog.format(
    '%%I.%%I has %%s that %%s not in force: row security is off', n.nspname, c.relname,
    case when pg_catalog.count(*) = 1 then '1 policy' else pg_catalog.count(*) || ' policies' end,
    case when pg_catalog.count(*) = 1 then 'is' else 'are' end
  ) as title,
  'Who has the privilege sees every row, and the policies make believe that it is otherwise. Source: PostgreSQL '
  'manual, 5.9 Row Security Policies.' as why,
  pg_catalog.format(
    E'alter table %%I.%%I enable row level security;\nalter table %%I.%%I force row level security;',
    n.nspname, c.relname, n.nspname, c.relname
  ) as fix,
  pg_catalog.jsonb_build_object('schema', n.nspname, 'table', c.relname) as details
from pg_catalog.pg_policy p
join pg_catalog.pg_class c on c.oid = p.polrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relnamespace = any(%(schemas)s::oid[])
  and not c.relrowsecurity
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.objid = c.oid
      and d.deptype = 'e'
  )
group by n.nspname, c.relname
order by object;
