-- rls_without_policy: row security is on, and no policy lets anybody see a row
-- level: info   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: a policy; a partition that nobody may reach but through its parent
select
  'rls_without_policy' as "check",
  'info' as severity,
  pg_catalog.format('%%I.%%I', n.nspname, c.relname) as object,
  pg_catalog.format('%%I.%%I has row security on and no policy', n.nspname, c.relname) as title,
  'Every query but the owner''s gets no row and no error. It may be meant so, and it may be half done. Source: '
  'PostgreSQL manual, 5.9 Row Security Policies.' as why,
  pg_catalog.format(
    E'-- write the policy that is meant; or, where none is, say so:\n'
    'comment on table %%I.%%I is %%L;', n.nspname, c.relname, 'nobody but the owner reads it'
  ) as fix,
  pg_catalog.jsonb_build_object('schema', n.nspname, 'table', c.relname) as details
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relnamespace = any(%(schemas)s::oid[])
  and c.relkind in ('r', 'p')
  and c.relrowsecurity
  and not c.relispartition
  and not exists (
    select
    from pg_catalog.pg_policy p
    where p.polrelid = c.oid
  )
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.objid = c.oid
      and d.deptype = 'e'
  )
  and coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') <> 'nobody but the owner reads it'
order by object;
