-- partitions: one a month; entries that waited in the default partition come along
create or replace function {audit}.ensure_partitions(first_month date, last_month date)
returns setof text
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
declare
    starts date;
    partition_name text;
    waiting boolean;
begin
    for starts in
        select m.starts::date
        from generate_series(
            date_trunc('month', first_month::timestamp),
            date_trunc('month', last_month::timestamp),
            interval '1 month'
        ) m (starts)
        order by m.starts
    loop
        partition_name := 'log_' || to_char(starts, 'YYYY_MM');
        continue when exists (
            select
            from pg_class c
            where c.relnamespace = {audit_namespace}::regnamespace
                and c.relname = partition_name
        );
        lock table {audit}.log in share update exclusive mode;
        waiting := exists (
            select
            from {audit}.log_default d
            where d.recorded_at >= starts::timestamptz
                and d.recorded_at < (starts + interval '1 month')::timestamptz
        );
        if waiting then
            -- append-only: nothing is deleted, the default partition is made anew
            lock table {audit}.log in access exclusive mode;
            alter table {audit}.log detach partition {audit}.log_default;
            alter table {audit}.log_default rename to log_waiting;
            create table {audit}.log_default partition of {audit}.log default;
            call {audit}.protect({log_default}, false);
        end if;
        execute format(
            'create table {audit}.%I partition of {audit}.log for values from (%L) to (%L)',
            partition_name, starts::timestamptz, (starts + interval '1 month')::timestamptz
        );
        execute format('comment on table {audit}.%I is %L', partition_name,
            'Entries of ' || to_char(starts, 'FMMonth YYYY') || ' (UTC).');
        call {audit}.protect(format('{audit}.%I', partition_name)::regclass, false);
        if waiting then
            insert into {audit}.log overriding system value select w.* from {audit}.log_waiting w;
            drop table {audit}.log_waiting;
            execute 'alter table {audit}.log_default owner to ' || {owner_role}::regrole;
        end if;
        execute format('alter table {audit}.%I owner to %s', partition_name, {owner_role}::regrole);
        return next partition_name;
    end loop;
end
$body$;

comment on function {audit}.ensure_partitions(date, date) is
    'Makes the missing monthly partitions from the one month to the other, both included, and returns their names.';

alter function {audit}.ensure_partitions(date, date) owner to {owner};
