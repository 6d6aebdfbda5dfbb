-- needed_sequences: sequences that a default of a column takes its value from
-- needs: PostgreSQL 13
-- Identity columns take theirs without a privilege.
select distinct
    n.nspname::text as schema,
    t.relname::text as name,
    a.attname::text as column_name,
    sn.nspname::text as sequence_schema,
    s.relname::text as sequence_name
from pg_catalog.pg_attrdef f
join pg_catalog.pg_class t on t.oid = f.adrelid
join pg_catalog.pg_namespace n on n.oid = t.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid
join pg_catalog.pg_class s on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = s.oid
join pg_catalog.pg_namespace sn on sn.oid = s.relnamespace
where s.relkind = 'S'
order by schema, name, column_name, sequence_schema, sequence_name;
