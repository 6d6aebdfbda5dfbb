-- rls_not_forced: row security that does not hold for the table's owner
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: FORCE ROW LEVEL SECURITY; an owner that nobody logs in as is only told of
select
  'rls_not_forced' as "check",
  case when r.rolcanlogin then 'warn' else 'info' end as severity,
  pg_catalog.format('%%I.%%I', n.nspname, c.relname) as object,
  pg_catalog.format('row security of %%I.%%I does not hold for its owner', n.nspname, c.relname) as title,
  'The owner, and every view and SECURITY DEFINER function of the owner, reads and writes all rows. Source: '
  'PostgreSQL manual, 5.9 Row Security Policies.' as why,
  pg_catalog.format('alter table %%I.%%I force row level security;', n.nspname, c.relname) as fix,
  pg_catalog.jsonb_build_object('schema', n.nspname, 'table', c.relname, 'owner', r.rolname) as details
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_roles r on r.oid = c.relowner
where c.relnamespace = any(%(schemas)s::oid[])
  and c.relkind in ('r', 'p')
  and c.relrowsecurity
  and not c.relforcerowsecurity
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.objid = c.oid
      and d.deptype = 'e'
  )
order by object;
