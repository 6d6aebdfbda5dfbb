-- index_columns: the columns that an index holds or asks for in its expressions and its condition
-- parameters: indexes, their oids
select
    i.indexrelid::bigint as oid,
    pg_catalog.array_agg(distinct a.attname::text order by a.attname::text) as columns
from pg_catalog.pg_index i
join pg_catalog.pg_attribute a on a.attrelid = i.indrelid
where i.indexrelid = any(%(indexes)s::oid[])
    and (
        a.attnum = any(i.indkey::int2[])
        or exists (
            select
            from pg_catalog.pg_depend d
            where d.classid = 'pg_catalog.pg_class'::regclass
                and d.objid = i.indexrelid
                and d.refclassid = 'pg_catalog.pg_class'::regclass
                and d.refobjid = i.indrelid
                and d.refobjsubid = a.attnum
        )
    )
    and a.attnum > 0
group by i.indexrelid
order by i.indexrelid;
