-- detach_month: takes a sealed month out of the log; its table stays, append-only, until somebody drops it
create or replace function {audit}.detach_month(
    month_start date,
    file_sha256 text,
    expected_entries bigint,
    anchor_id bigint,
    anchor_hash bytea
)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    partition_name text := 'log_' || to_char(month_start, 'YYYY_MM');
    counted bigint;
    unsealed bigint;
    anchored {audit}.seals;
begin
    if month_start + interval '1 month' > now() at time zone 'UTC' then
        raise exception '% is not over yet: its entries would have no partition', partition_name
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    execute format('lock table {audit}.%I in share mode', partition_name);
    select * into anchored from {audit}.seals s where s.seal_id = anchor_id and s.hash = anchor_hash;
    if anchored.seal_id is null then
        raise exception 'the trail has no seal % of that hash: it is not the trail of this anchor', anchor_id
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    execute format(
        'select count(*), count(*) filter (where p.transaction_id >= $1) from {audit}.%I p', partition_name
    )
    into counted, unsealed
    using anchored.to_transaction;
    if unsealed > 0 then
        raise exception '% of % entries of % are not covered by the anchor: seal them first', unsealed, counted, partition_name
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if counted <> expected_entries then
        raise exception '% holds % entries, and % were exported', partition_name, counted, expected_entries
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    execute format('alter table {audit}.log detach partition {audit}.%I', partition_name);
    -- the copies of the parent's row triggers went with the parent
    call {audit}.protect(format('{audit}.%I', partition_name)::regclass, true);
    insert into {audit}.retired (month, retired_at, entries, seal_id, file_sha256)
    values (month_start, clock_timestamp(), counted, anchor_id, file_sha256);
    return partition_name;
end
$body$;

comment on function {audit}.detach_month(date, text, bigint, bigint, bytea) is
    'Detaches the partition of a month whose entries are all sealed and were exported to a file of that digest.';

alter function {audit}.detach_month(date, text, bigint, bigint, bytea) owner to {owner};
