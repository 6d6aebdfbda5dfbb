-- policy_always_true: policies that let everybody change every row
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: for select, which makes a table public to read; for named roles; restrictive policies; a restrictive
-- policy beside it
select
  'policy_always_true' as "check",
  'warn' as severity,
  pg_catalog.format('%%I.%%I.%%I', n.nspname, c.relname, p.polname) as object,
  pg_catalog.format(
    'the policy %%I lets every role %%s any row of %%I.%%I', p.polname,
    case p.polcmd when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'change' end,
    n.nspname, c.relname
  ) as title,
  'Its condition is always true and it is for PUBLIC: row security is on and holds nobody. Permissive policies are '
  'joined by OR, so the others do not help. Source: PostgreSQL manual, CREATE POLICY.' as why,
  pg_catalog.format('drop policy %%I on %%I.%%I;', p.polname, n.nspname, c.relname) as fix,
  pg_catalog.jsonb_build_object(
    'schema', n.nspname, 'table', c.relname, 'policy', p.polname, 'command', p.polcmd
  ) as details
from pg_catalog.pg_policy p
join pg_catalog.pg_class c on c.oid = p.polrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relnamespace = any(%(schemas)s::oid[])
  and c.relrowsecurity
  and p.polpermissive
  and p.polroles = '{0}'
  and p.polcmd in ('*', 'a', 'w', 'd')
  and (
    case p.polcmd
      when 'a' then pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
      else pg_catalog.pg_get_expr(p.polqual, p.polrelid)
    end ~* '^\(*(true|1 = 1)\)*$'
  )
  and (
    p.polcmd in ('a', 'd')
    or p.polwithcheck is null
    or pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) ~* '^\(*(true|1 = 1)\)*$'
  )
  and not exists (
    select
    from pg_catalog.pg_policy other
    where other.polrelid = p.polrelid
      and not other.polpermissive
      and other.polcmd in ('*', p.polcmd)
      and 0 = any(other.polroles)
  )
order by object;
