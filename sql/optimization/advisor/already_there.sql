-- already_there: candidates that say nothing beyond an index that exists: the same, or the beginning of its keys
-- parameters: candidates and existing, oids of indexes
select distinct new.indexrelid::bigint as oid
from pg_catalog.pg_index new
join pg_catalog.pg_class nc on nc.oid = new.indexrelid
join pg_catalog.pg_index old on old.indrelid = new.indrelid
join pg_catalog.pg_class oc on oc.oid = old.indexrelid and oc.relam = nc.relam
join pg_catalog.pg_am m on m.oid = nc.relam
where new.indexrelid = any(%(candidates)s::oid[])
    and old.indexrelid = any(%(existing)s::oid[])
    and pg_catalog.pg_get_expr(new.indpred, new.indrelid)
        is not distinct from pg_catalog.pg_get_expr(old.indpred, old.indrelid)
    and (
        -- the same keys, or for a B-tree the beginning of them
        select pg_catalog.array_agg(
            array[
                pg_catalog.pg_get_indexdef(new.indexrelid, k, false),
                new.indclass[k - 1]::text,
                new.indcollation[k - 1]::text,
                new.indoption[k - 1]::text
            ]
            order by k
        )
        from pg_catalog.generate_series(1, new.indnkeyatts) k
    ) = (
        select pg_catalog.array_agg(
            array[
                pg_catalog.pg_get_indexdef(old.indexrelid, k, false),
                old.indclass[k - 1]::text,
                old.indcollation[k - 1]::text,
                old.indoption[k - 1]::text
            ]
            order by k
        )
        from pg_catalog.generate_series(1, new.indnkeyatts) k
    )
    and (new.indnkeyatts = old.indnkeyatts or (m.amname = 'btree' and new.indnkeyatts < old.indnkeyatts))
    -- what the new one includes is in the old one, too
    and not exists (
        select
        from pg_catalog.generate_series(new.indnkeyatts + 1, new.indnatts) k
        where new.indkey[k - 1] <> all (old.indkey::int2[])
    )
order by oid;
