-- memberships: which role is a member of which
-- needs: PostgreSQL 13
select distinct r.rolname::text as role, m.rolname::text as member
from pg_catalog.pg_auth_members a
join pg_catalog.pg_roles r on r.oid = a.roleid
join pg_catalog.pg_roles m on m.oid = a.member
order by role, member;
