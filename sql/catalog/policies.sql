-- policies: the row security policies of the relations
-- needs: PostgreSQL 13   parameters: relations oid[]
select
  p.polrelid as oid,
  p.polname as name,
  case p.polcmd
    when 'r' then 'select'
    when 'a' then 'insert'
    when 'w' then 'update'
    when 'd' then 'delete'
    when '*' then 'all'
  end as command,
  p.polpermissive as permissive,
  (
    select pg_catalog.array_agg(coalesce(r.rolname::text, 'public') order by r.rolname)
    from pg_catalog.unnest(p.polroles) as granted(oid)
    left join pg_catalog.pg_roles r on r.oid = granted.oid
  ) as roles,
  pg_catalog.pg_get_expr(p.polqual, p.polrelid) as using,
  pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) as check
from pg_catalog.unnest(%(relations)s::oid[]) as selected(oid)
join pg_catalog.pg_policy p on p.polrelid = selected.oid
order by p.polrelid, p.polname;
