-- roles_found: how the named roles may log in and what binds them, and of which others they are members
-- needs: PostgreSQL 13
select
    r.rolname::text as name,
    r.rolcanlogin as login,
    r.rolinherit as inherit,
    r.rolbypassrls as bypass,
    r.rolsuper as superuser,
    array(
        select g.rolname::text
        from pg_catalog.pg_auth_members m
        join pg_catalog.pg_roles g
          on g.oid = m.roleid
        where m.member = r.oid
            and g.rolname = any(%(roles)s)
        order by g.rolname
    ) as member_of
from pg_catalog.pg_roles r
where r.rolname = any(%(roles)s)
order by r.rolname;
