-- memberships: the same where inheritance is an attribute of the member and SET ROLE is always allowed
-- needs: PostgreSQL 13
select
    r.rolname::text as role,
    m.rolname::text as member,
    pg_catalog.pg_get_userbyid(a.grantor)::text as grantor,
    a.admin_option as admin,
    m.rolinherit as inherits,
    true as can_set
from pg_catalog.pg_auth_members a
join pg_catalog.pg_roles r on r.oid = a.roleid
join pg_catalog.pg_roles m on m.oid = a.member
order by role, member, grantor;
