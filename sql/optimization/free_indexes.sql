-- free_indexes: the indexes that no key and no constraint needs, of which a design is free to have or have not
-- near miss: a unique index forbids something, and the index of a partition goes with its parent's
select
    n.nspname as schema_name,
    c.relname as index_name,
    t.relname as table_name,
    pg_catalog.pg_get_indexdef(i.indexrelid) as definition,
    coalesce(
        (
            select sum(pg_catalog.pg_relation_size(p.relid, 'main'))
            from pg_catalog.pg_partition_tree(i.indexrelid) p
        ),
        pg_catalog.pg_relation_size(i.indexrelid, 'main')
    )::bigint as size_bytes
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_class t on t.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where not i.indisunique
    and not i.indisreplident
    and not c.relispartition
    and t.relkind in ('r', 'p', 'm')
    and n.nspname <> 'information_schema'
    and n.nspname !~ '^pg_'
    and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid)
    and not exists (
        select
        from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by n.nspname, c.relname;
