-- record_row: one call a row; the lean trigger of tables that are written one row at a time
create or replace function {audit}.record_row()
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
#variable_conflict use_variable
declare
    root oid := coalesce(pg_partition_root(tg_relid), tg_relid);
    redacted text[] := tg_argv[0]::text[];
    omitted text[] := tg_argv[1]::text[];
    key_columns text[] := tg_argv[2]::text[];
    before jsonb;
    after jsonb;
    key_before jsonb;
    key_after jsonb;
    changed jsonb;
    changed_redacted text[];
    proved text;
    acting text;
    acting_role text := case current_setting('role') when 'none' then session_user else current_setting('role') end;
begin
    if tg_op <> 'INSERT' then
        before := to_jsonb(old) - omitted;
    end if;
    if tg_op <> 'DELETE' then
        after := to_jsonb(new) - omitted;
    end if;
    if key_columns = array[]::text[] then
        key_before := before - redacted;
        key_after := after - redacted;
    else
        if not coalesce(after, before) ?& key_columns then
            raise exception 'the key of % is not % any more: put the table under audit again', tg_relid::regclass,
                key_columns
                using errcode = 'invalid_table_definition';
        end if;
        if key_columns[2] is null then
            key_before := case when tg_op <> 'INSERT' then
                jsonb_build_object(key_columns[1], before -> key_columns[1]) end;
            key_after := case when tg_op <> 'DELETE' then
                jsonb_build_object(key_columns[1], after -> key_columns[1]) end;
        else
            key_before := case when tg_op <> 'INSERT' then
                (select jsonb_object_agg(c.name, before -> c.name) from unnest(key_columns) c (name)) end;
            key_after := case when tg_op <> 'DELETE' then
                (select jsonb_object_agg(c.name, after -> c.name) from unnest(key_columns) c (name)) end;
        end if;
    end if;
    if tg_op = 'UPDATE' and key_before = key_after then
        if key_columns = array[]::text[] and before = after then
            return null;
        end if;
        changed := (
            select jsonb_object_agg(e.key, e.value)
            from jsonb_each(before) e
            where before ->> e.key is distinct from after ->> e.key
                and e.key <> all (key_columns)
        );
        if changed is null then
            return null;
        end if;
        if redacted <> array[]::text[] and changed ?| redacted then
            changed_redacted := array(select c.name from unnest(redacted) c (name) where changed ? c.name);
            changed := nullif(changed - redacted, '{{}}');
        end if;
    end if;

    if {identity_known} then
        proved := {identity}::text;
    end if;
    acting := coalesce(proved, nullif(current_setting('app.actor', true), ''));
    insert into {audit}.log (recorded_at, relation_id, table_name, action, record_key, old_values, redacted_columns,
        actor, actor_verified, login_role, acting_role, client_address, application_name)
    select
        clock_timestamp(), root, root::regclass::text, e.action, e.record_key, e.old_values, e.redacted_columns,
        acting, proved is not null, session_user, acting_role, inet_client_addr(), current_setting('application_name')
    from (
        values
            ('U'::"char", key_before, changed, changed_redacted, tg_op = 'UPDATE' and key_before = key_after
                and key_columns <> array[]::text[]),
            ('D', key_before, case when key_columns <> array[]::text[] then before - redacted end,
                nullif(redacted, array[]::text[]),
                tg_op = 'DELETE' or tg_op = 'UPDATE' and (key_before <> key_after or key_columns = array[]::text[])),
            ('I', key_after, null, case when key_columns = array[]::text[] then nullif(redacted, array[]::text[]) end,
                tg_op = 'INSERT' or tg_op = 'UPDATE' and (key_before <> key_after or key_columns = array[]::text[]))
    ) e (action, record_key, old_values, redacted_columns, due)
    where e.due;
    return null;
end
$body$;

comment on function {audit}.record_row() is
    'Logs one row that changed. Arguments: columns whose values are not kept; columns that are left out; the key.';

alter function {audit}.record_row() owner to {owner};

revoke all on function {audit}.record_row() from public;
