-- detach_month: takes a sealed month out of the log; its table stays, append-only, until somebody drops it
create or replace function {audit}.detach_month(month_start date, sha256 text, expected_entries bigint)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    partition_name text := 'log_' || to_char(month_start, 'YYYY_MM');
    counted bigint;
    unsealed bigint;
    last_seal {audit}.seals;
begin
    execute format('lock table {audit}.%I in share mode', partition_name);
    select * into last_seal from {audit}.seals s order by s.seal_id desc limit 1;
    execute format(
        'select count(*), count(*) filter (where p.transaction_id >= $1) from {audit}.%I p', partition_name
    )
    into counted, unsealed
    using coalesce(last_seal.to_transaction, '0'::xid8);
    if unsealed > 0 then
        raise exception '% of % entries of % are not sealed: seal them first', unsealed, counted, partition_name
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
    values (month_start, clock_timestamp(), counted, coalesce(last_seal.seal_id, 0), sha256);
    return partition_name;
end
$body$;

comment on function {audit}.detach_month(date, text, bigint) is
    'Detaches the partition of a month whose entries are all sealed and were exported to a file of that digest.';

alter function {audit}.detach_month(date, text, bigint) owner to {owner};
