-- policies: the row security policies; PUBLIC is the role public
-- needs: PostgreSQL 13
select
    n.nspname::text as schema,
    c.relname::text as table_name,
    p.polname::text as name,
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
from pg_catalog.pg_policy p
join pg_catalog.pg_class c on c.oid = p.polrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
order by schema, table_name, name;
