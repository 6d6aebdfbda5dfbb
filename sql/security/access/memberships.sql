-- memberships: which role is a member of which, by whose grant and with which options
-- needs: PostgreSQL 16
select
    r.rolname::text as role,
    m.rolname::text as member,
    pg_catalog.pg_get_userbyid(a.grantor)::text as grantor,
    a.admin_option as admin,
    a.inherit_option as inherits,
    a.set_option as can_set
from pg_catalog.pg_auth_members a
join pg_catalog.pg_roles r on r.oid = a.roleid
join pg_catalog.pg_roles m on m.oid = a.member
order by role, member, grantor;
