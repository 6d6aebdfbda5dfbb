-- seals: each says what was in the log, and what the seal before said; its hash is kept outside as an anchor
create table if not exists {audit}.seals (
    seal_id bigint primary key,
    sealed_at timestamptz not null,
    from_transaction xid8 not null,
    to_transaction xid8 not null,
    entries bigint not null,
    total_entries bigint not null,
    previous_hash bytea not null,
    hash bytea not null
);

comment on table {audit}.seals is
    'Transactions from_transaction (included) to to_transaction (not included), all of which had ended. Append-only.';

create table if not exists {audit}.seal_months (
    seal_id bigint not null references {audit}.seals,
    month date not null,
    entries bigint not null,
    rows_hash bytea not null,
    primary key (seal_id, month)
);

comment on table {audit}.seal_months is
    'Of each seal the entries a month (UTC), so that a month can be retired and the chain be verified still.';

create or replace view {audit}.entry_hashes
with (security_invoker = true)
as
select
    l.entry_id,
    l.transaction_id,
    pg_catalog.date_trunc('month', l.recorded_at at time zone 'UTC')::date as month,
    pg_catalog.sha256(
        pg_catalog.convert_to(
            row(
                l.entry_id, l.recorded_at at time zone 'UTC', l.transaction_id, l.relation_id, l.table_name,
                l.partition_name, l.action, l.record_key, l.old_values, l.redacted_columns, l.actor, l.actor_verified,
                l.login_role, l.acting_role, l.client_address, l.application_name, l.query_id
            )::text,
            'UTF8'
        )
    ) as entry_hash
from {audit}.log l;

comment on view {audit}.entry_hashes is 'SHA-256 of each entry; under datestyle ISO the same in every session.';

create or replace function {audit}.seal_hash(
    seal_id bigint,
    sealed_at timestamptz,
    from_transaction xid8,
    to_transaction xid8,
    total_entries bigint,
    previous_hash bytea,
    months text
)
returns bytea
language sql
stable
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO'
set bytea_output = 'hex'
as $body$
    select sha256(
        convert_to(
            row(
                seal_id, sealed_at at time zone 'UTC', from_transaction, to_transaction, total_entries,
                previous_hash, months
            )::text,
            'UTF8'
        )
    )
$body$;

comment on function {audit}.seal_hash(bigint, timestamptz, xid8, xid8, bigint, bytea, text) is
    'SHA-256 of a seal and of the one before it.';

-- Who writes takes no lock here, and a transaction that commits late is in the seal of its end: only
-- transactions before the oldest that still runs are sealed.
create or replace function {audit}.seal()
returns setof {audit}.seals
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO'
set bytea_output = 'hex'
as $body$
#variable_conflict use_column
declare
    last {audit}.seals;
    next {audit}.seals;
    months date[];
    counts bigint[];
    hashes bytea[];
    listed text;
begin
    lock table {audit}.seals in share row exclusive mode;
    select * into last from {audit}.seals s order by s.seal_id desc limit 1;
    next.seal_id := coalesce(last.seal_id, 0) + 1;
    next.sealed_at := clock_timestamp();
    next.from_transaction := coalesce(last.to_transaction, '0'::xid8);
    next.to_transaction := pg_snapshot_xmin(pg_current_snapshot());
    next.previous_hash := coalesce(last.hash, ''::bytea);
    if next.to_transaction < next.from_transaction then
        raise exception 'transactions count from % here, and the last seal ends with %: this trail was restored '
            'into another cluster', next.to_transaction, next.from_transaction
            using errcode = 'object_not_in_prerequisite_state',
            hint = 'Export it with its anchors, and begin a new trail.';
    end if;
    select
        coalesce(sum(m.entries), 0), array_agg(m.month order by m.month), array_agg(m.entries order by m.month),
        array_agg(m.rows_hash order by m.month),
        coalesce(string_agg(row(m.month, m.entries, m.rows_hash)::text, ',' order by m.month), '')
    into next.entries, months, counts, hashes, listed
    from (
        select
            h.month, count(*) as entries,
            sha256(string_agg(h.entry_hash, ''::bytea order by h.transaction_id, h.entry_id)) as rows_hash
        from {audit}.entry_hashes h
        where h.transaction_id >= next.from_transaction
            and h.transaction_id < next.to_transaction
        group by h.month
    ) m;
    next.total_entries := coalesce(last.total_entries, 0) + next.entries;
    next.hash := {audit}.seal_hash(
        next.seal_id, next.sealed_at, next.from_transaction, next.to_transaction, next.total_entries,
        next.previous_hash, listed
    );
    insert into {audit}.seals values (next.*);
    insert into {audit}.seal_months (seal_id, month, entries, rows_hash)
    select next.seal_id, m.month, m.entries, m.rows_hash
    from unnest(months, counts, hashes) m (month, entries, rows_hash);
    return next next;
end
$body$;

comment on function {audit}.seal() is 'Seals the entries of all transactions that have ended since the last seal.';

-- months of the trail that were taken out, and what their seals cover
create table if not exists {audit}.retired (
    month date primary key,
    retired_at timestamptz not null,
    entries bigint not null,
    seal_id bigint not null,
    file_sha256 text not null
);

comment on table {audit}.retired is 'Months whose partition was detached, with the digest of the file it went to.';

create or replace function {audit}.verify()
returns table (
    seal_id bigint,
    sealed_at timestamptz,
    from_transaction xid8,
    to_transaction xid8,
    hash bytea,
    chained boolean,
    hash_as_computed boolean,
    months jsonb
)
language sql
stable
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO'
set bytea_output = 'hex'
as $body$
    with found as (
        select s.seal_id, h.month, count(*) as entries,
            sha256(string_agg(h.entry_hash, ''::bytea order by h.transaction_id, h.entry_id)) as rows_hash
        from {audit}.seals s
        join {audit}.entry_hashes h on h.transaction_id >= s.from_transaction and h.transaction_id < s.to_transaction
        group by s.seal_id, h.month
    ),
    compared as (
        select
            coalesce(d.seal_id, f.seal_id) as seal_id,
            jsonb_agg(
                jsonb_build_object(
                    'month', coalesce(d.month, f.month), 'declared', coalesce(d.entries, 0),
                    'found', coalesce(f.entries, 0),
                    'same', d.rows_hash is not distinct from f.rows_hash
                )
                order by coalesce(d.month, f.month)
            ) as months
        from {audit}.seal_months d
        full join found f on f.seal_id = d.seal_id and f.month = d.month
        group by coalesce(d.seal_id, f.seal_id)
    ),
    listed as (
        select d.seal_id, string_agg(row(d.month, d.entries, d.rows_hash)::text, ',' order by d.month) as months
        from {audit}.seal_months d
        group by d.seal_id
    ),
    chain as (
        select
            s.*,
            coalesce(lag(s.hash) over in_order, ''::bytea) as hash_before,
            coalesce(lag(s.to_transaction) over in_order, '0'::xid8) as ended_before,
            coalesce(lag(s.seal_id) over in_order, 0) as seal_before,
            coalesce(lag(s.total_entries) over in_order, 0) as total_before
        from {audit}.seals s
        window in_order as (order by s.seal_id)
    )
    select
        c.seal_id, c.sealed_at, c.from_transaction, c.to_transaction, c.hash,
        c.previous_hash = c.hash_before and c.from_transaction = c.ended_before and c.seal_id = c.seal_before + 1
            and c.total_entries = c.total_before + c.entries,
        c.hash = {audit}.seal_hash(
            c.seal_id, c.sealed_at, c.from_transaction, c.to_transaction, c.total_entries, c.previous_hash,
            coalesce(l.months, '')
        ),
        coalesce(m.months, '[]')
    from chain c
    left join listed l on l.seal_id = c.seal_id
    left join compared m on m.seal_id = c.seal_id
    order by c.seal_id
$body$;

comment on function {audit}.verify() is 'Computes every seal again: what is in the log, and what its seals say.';

alter table {audit}.seals owner to {owner};

alter table {audit}.seal_months owner to {owner};

alter table {audit}.retired owner to {owner};

alter view {audit}.entry_hashes owner to {owner};

alter function {audit}.seal_hash(bigint, timestamptz, xid8, xid8, bigint, bytea, text) owner to {owner};

alter function {audit}.seal() owner to {owner};

alter function {audit}.verify() owner to {owner};

call {audit}.protect({seals}, true);

call {audit}.protect({seal_months}, true);

call {audit}.protect({retired}, true);
