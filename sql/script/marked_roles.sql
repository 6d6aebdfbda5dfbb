-- marked_roles: roles that the workbench made for scripts and that no running load holds any more
-- parameters: mark text
select roles.rolname as name
from pg_catalog.pg_roles roles
where pg_catalog.shobj_description(roles.oid, 'pg_authid') = %(mark)s
order by roles.rolname;
