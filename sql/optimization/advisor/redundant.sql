-- redundant: pairs of indexes of which the first says nothing beyond the other
-- parameters: indexes, oids of indexes
-- near miss: another collation, operator class, direction or condition, or a column that only the first holds
with keys as (
    select
        i.indexrelid,
        i.indrelid,
        c.relam,
        m.amname = 'btree' as is_btree,
        i.indnkeyatts::int as key_count,
        i.indnatts::int as column_count,
        i.indkey::int2[] as attributes,
        pg_catalog.pg_get_expr(i.indpred, i.indrelid) as predicate,
        array(
            select pg_catalog.concat_ws(
                '|',
                pg_catalog.pg_get_indexdef(i.indexrelid, k, false),
                i.indclass[k - 1],
                i.indcollation[k - 1],
                i.indoption[k - 1]
            )
            from pg_catalog.generate_series(1, i.indnkeyatts) k
            order by k
        ) as keys
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = c.relam
    where i.indexrelid = any(%(indexes)s::oid[])
)
select
    one.indexrelid::bigint as oid,
    other.indexrelid::bigint as other,
    one.key_count = other.key_count and one.column_count = other.column_count as is_same
from keys one
join keys other on other.indrelid = one.indrelid
    and other.relam = one.relam
    and other.indexrelid <> one.indexrelid
where one.predicate is not distinct from other.predicate
    and (one.key_count = other.key_count or one.is_btree and one.key_count < other.key_count)
    and one.keys = other.keys[1:one.key_count]
    and not exists (
        select
        from pg_catalog.generate_series(one.key_count + 1, one.column_count) k
        where one.attributes[k - 1] <> all (other.attributes)
    )
order by one.indexrelid, is_same desc, other.indexrelid;
