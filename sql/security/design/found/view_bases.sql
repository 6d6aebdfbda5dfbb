-- view_bases: the relations that each view reads, with the columns; the column of a whole row is empty
-- needs: PostgreSQL 13
select distinct
    vn.nspname::text as view_schema,
    v.relname::text as view_name,
    tn.nspname::text as schema,
    t.relname::text as name,
    coalesce(a.attname::text, '') as column_name
from pg_catalog.pg_rewrite r
join pg_catalog.pg_class v on v.oid = r.ev_class
join pg_catalog.pg_namespace vn on vn.oid = v.relnamespace
join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objid = r.oid
join pg_catalog.pg_class t on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = t.oid
join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
left join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid and d.refobjsubid > 0
where v.relkind in ('v', 'm')
    and t.oid <> v.oid
    and vn.nspname !~ '^pg_'
    and vn.nspname <> 'information_schema'
order by view_schema, view_name, schema, name, column_name;
