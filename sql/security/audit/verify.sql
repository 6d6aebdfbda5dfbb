-- verify: every seal computed again from the entries, by nothing that is in the trail's own schema
-- placeholders: audit, entry_hash, seal_hash
with found as (
    select
        z.seal_id,
        pg_catalog.date_trunc('month', l.recorded_at at time zone 'UTC')::date as month,
        pg_catalog.count(*) as entries,
        pg_catalog.sha256(
            pg_catalog.string_agg({entry_hash}, ''::bytea order by l.transaction_id, l.entry_id)
        ) as rows_hash
    from {audit}.seals z
    join {audit}.log l on l.transaction_id >= z.from_transaction and l.transaction_id < z.to_transaction
    group by 1, 2
),
compared as (
    select
        coalesce(d.seal_id, f.seal_id) as seal_id,
        pg_catalog.jsonb_agg(
            pg_catalog.jsonb_build_object(
                'month', coalesce(d.month, f.month), 'declared', coalesce(d.entries, 0),
                'found', coalesce(f.entries, 0), 'same', d.rows_hash is not distinct from f.rows_hash
            )
            order by coalesce(d.month, f.month)
        ) as months
    from {audit}.seal_months d
    full join found f on f.seal_id = d.seal_id and f.month = d.month
    group by 1
),
listed as (
    select
        d.seal_id,
        pg_catalog.string_agg(
            pg_catalog.to_char(d.month, 'YYYY-MM-DD') || ' ' || d.entries || ' '
                || pg_catalog.encode(d.rows_hash, 'hex'),
            ',' order by d.month
        ) as months
    from {audit}.seal_months d
    group by d.seal_id
),
chain as (
    select
        z.*,
        coalesce(l.months, '') as months,
        coalesce(pg_catalog.lag(z.hash) over in_order, ''::bytea) as hash_before,
        coalesce(pg_catalog.lag(z.to_transaction) over in_order, '0'::xid8) as ended_before,
        coalesce(pg_catalog.lag(z.seal_id) over in_order, 0) as seal_before,
        coalesce(pg_catalog.lag(z.total_entries) over in_order, 0) as total_before
    from {audit}.seals z
    left join listed l on l.seal_id = z.seal_id
    window in_order as (order by z.seal_id)
)
select
    s.seal_id,
    s.from_transaction::text as first,
    s.to_transaction::text as end,
    s.hash,
    s.previous_hash = s.hash_before and s.from_transaction = s.ended_before and s.seal_id = s.seal_before + 1
        and s.total_entries = s.total_before + s.entries as chained,
    s.hash = {seal_hash} as hash_as_computed,
    coalesce(m.months, '[]') as months
from chain s
left join compared m on m.seal_id = s.seal_id
order by s.seal_id
