-- default_privileges: what objects made later give to others than their owner; the schema of a global one is empty
-- needs: PostgreSQL 13
select
    pg_catalog.pg_get_userbyid(d.defaclrole)::text as creator,
    coalesce(n.nspname::text, '') as schema,
    case d.defaclobjtype
        when 'r' then 'tables'
        when 'S' then 'sequences'
        when 'f' then 'functions'
        when 'T' then 'types'
        when 'n' then 'schemas'
        else d.defaclobjtype::text
    end as objects,
    case a.grantee when 0 then '' else pg_catalog.pg_get_userbyid(a.grantee)::text end as grantee,
    pg_catalog.lower(a.privilege_type) as privilege,
    a.is_grantable as grantable
from pg_catalog.pg_default_acl d
left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
left join lateral pg_catalog.aclexplode(d.defaclacl) a on a.grantee <> d.defaclrole
order by creator, schema, objects, grantee, privilege;
