-- standing: what keeps an index that exists, whatever the workload says of it
-- parameters: indexes, their oids
-- near miss: an index supports a foreign key by its first columns in any order, and only without a condition
select
    i.indexrelid::bigint as oid,
    i.indisunique as is_unique,
    i.indisreplident as is_replica_identity,
    i.indisclustered as is_clustered,
    t.relispartition as is_of_partition,
    exists (
        select
        from pg_catalog.pg_constraint s
        where s.conindid = i.indexrelid
    ) as has_constraint,
    array(
        select k.conname::text
        from pg_catalog.pg_constraint k
        where k.conrelid = i.indrelid
            and k.contype = 'f'
            and m.amname in ('btree', 'hash')
            and i.indpred is null
            and i.indnkeyatts >= pg_catalog.cardinality(k.conkey)
            and k.conkey @> (i.indkey::int2[])[0:pg_catalog.cardinality(k.conkey) - 1]
            and k.conkey <@ (i.indkey::int2[])[0:pg_catalog.cardinality(k.conkey) - 1]
        order by k.conname
    ) as foreign_keys
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_am m on m.oid = c.relam
join pg_catalog.pg_class t on t.oid = i.indrelid
where i.indexrelid = any(%(indexes)s::oid[])
order by i.indexrelid;
