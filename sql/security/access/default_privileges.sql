-- default_privileges: what each role's new objects give; no schema where it holds for all of them
-- needs: PostgreSQL 13
-- An entry that gives nothing to anybody has neither grantee nor privilege.
select
    pg_catalog.pg_get_userbyid(d.defaclrole)::text as creator,
    n.nspname::text as schema,
    case d.defaclobjtype
        when 'r' then 'tables'
        when 'S' then 'sequences'
        when 'f' then 'routines'
        when 'T' then 'types'
        when 'n' then 'schemas'
        when 'L' then 'large objects'
        else d.defaclobjtype::text
    end as objects,
    case a.grantee when 0 then 'public' else pg_catalog.pg_get_userbyid(a.grantee)::text end as grantee,
    pg_catalog.lower(a.privilege_type) as privilege,
    coalesce(a.is_grantable, false) as grantable
from pg_catalog.pg_default_acl d
left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
left join lateral pg_catalog.aclexplode(d.defaclacl) a on true
order by creator, schema nulls first, objects, grantee, privilege;
