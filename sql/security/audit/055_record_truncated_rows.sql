-- record_truncated_rows: the rows themselves, before a TRUNCATE takes them; an option, for it costs what a DELETE does
create or replace function {audit}.record_truncated_rows()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO'
set intervalstyle = 'postgres'
set timezone = 'UTC'
set extra_float_digits = 1
set bytea_output = 'hex'
set lc_monetary = 'C'
as $body$
declare
    key_columns text[] := (select k.key_columns from {audit}.key_of(tg_relid) k);
    proved text;
begin
    if {identity_known} then
        proved := {identity}::text;
    end if;
    execute format(
        $query$
        insert into {audit}.log (recorded_at, relation_id, table_name, partition_name, action, record_key, old_values,
            redacted_columns, actor, actor_verified, login_role, acting_role, client_address, application_name)
        select
            clock_timestamp(), $1, $1::regclass::text, case when $1 <> $2 then $2::regclass::text end, 'D',
            case when $3 is null then r.record - $4 - $5
                else (select jsonb_object_agg(c.name, r.record -> c.name) from unnest($3) c (name)) end,
            case when $3 is not null then r.record - $4 - $5 end,
            nullif($4, array[]::text[]), $6, $7, session_user,
            case current_setting('role') when 'none' then session_user else current_setting('role') end,
            inet_client_addr(), current_setting('application_name')
        from (select to_jsonb(t) as record from only %s t offset 0) r
        $query$, tg_relid::regclass
    )
    using coalesce(pg_partition_root(tg_relid), tg_relid)::oid, tg_relid, key_columns, tg_argv[0]::text[],
        tg_argv[1]::text[], coalesce(proved, nullif(current_setting('app.actor', true), '')), proved is not null;
    return null;
end
$body$;

comment on function {audit}.record_truncated_rows() is
    'Logs every row of a table that is about to be truncated. The audit owner must be able to read them all.';

alter function {audit}.record_truncated_rows() owner to {owner};

revoke all on function {audit}.record_truncated_rows() from public;
