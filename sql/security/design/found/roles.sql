-- roles: every role of the cluster with the comment that may mark it
-- needs: PostgreSQL 13
select r.rolname::text as name, pg_catalog.shobj_description(r.oid, 'pg_authid') as comment
from pg_catalog.pg_roles r
order by r.rolname;
