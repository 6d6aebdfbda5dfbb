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

-- Who writes takes no lock here, and a transaction that commits late is in the seal of its end: only
-- transactions before the oldest that still runs are sealed.
create or replace function {audit}.seal()
returns setof {audit}.seals
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
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
        coalesce(
            string_agg(
                to_char(m.month, 'YYYY-MM-DD') || ' ' || m.entries || ' ' || encode(m.rows_hash, 'hex'),
                ',' order by m.month
            ),
            ''
        )
    into next.entries, months, counts, hashes, listed
    from (
        select
            date_trunc('month', l.recorded_at at time zone 'UTC')::date as month,
            count(*) as entries,
            sha256(string_agg({entry_hash}, ''::bytea order by l.transaction_id, l.entry_id)) as rows_hash
        from {audit}.log l
        where l.transaction_id >= next.from_transaction
            and l.transaction_id < next.to_transaction
        group by 1
    ) m;
    next.total_entries := coalesce(last.total_entries, 0) + next.entries;
    select {seal_hash} into next.hash
    from (
        select
            next.seal_id as seal_id, next.sealed_at as sealed_at, next.from_transaction as from_transaction,
            next.to_transaction as to_transaction, next.total_entries as total_entries,
            next.previous_hash as previous_hash, listed as months
    ) s;
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

alter table {audit}.seals owner to {owner};

alter table {audit}.seal_months owner to {owner};

alter table {audit}.retired owner to {owner};

alter function {audit}.seal() owner to {owner};

call {audit}.protect({seals}, true);

call {audit}.protect({seal_months}, true);

call {audit}.protect({retired}, true);
