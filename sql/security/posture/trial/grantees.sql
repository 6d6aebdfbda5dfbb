-- grantees: who may use a relation with a privilege, as another than its owner; public first
-- needs: PostgreSQL 13   parameters: schema text, table text, privileges text[]
select case when acl.grantee = 0 then null else r.rolname::text end as role, acl.privilege_type as privilege
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join lateral (
  select granted.grantee, granted.privilege_type
  from pg_catalog.aclexplode(c.relacl) granted
  union
  select granted.grantee, granted.privilege_type
  from pg_catalog.pg_attribute a
  cross join lateral pg_catalog.aclexplode(a.attacl) granted
  where a.attrelid = c.oid
    and not a.attisdropped
) acl
left join pg_catalog.pg_roles r on r.oid = acl.grantee
where n.nspname = %(schema)s
  and c.relname = %(table)s
  and acl.privilege_type = any(%(privileges)s::text[])
  and acl.grantee <> c.relowner
  and coalesce(not r.rolsuper and not r.rolbypassrls, true)
order by (acl.grantee = 0) desc, pg_catalog.array_position(%(privileges)s::text[], acl.privilege_type), r.rolname;
