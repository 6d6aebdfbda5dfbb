-- large_objects: how many there are of one owner that a role may read or write alike
-- needs: PostgreSQL 13
select
    pg_catalog.pg_get_userbyid(m.lomowner)::text as owner,
    case a.grantee when 0 then 'public' else pg_catalog.pg_get_userbyid(a.grantee)::text end as grantee,
    pg_catalog.lower(a.privilege_type) as privilege,
    a.is_grantable as grantable,
    pg_catalog.count(*) as objects
from pg_catalog.pg_largeobject_metadata m
cross join lateral pg_catalog.aclexplode(coalesce(m.lomacl, pg_catalog.acldefault('L', m.lomowner))) a
group by m.lomowner, a.grantee, a.privilege_type, a.is_grantable
order by owner, grantee, privilege, grantable;
