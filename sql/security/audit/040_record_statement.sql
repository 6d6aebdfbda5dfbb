-- record_statement: one call a statement and an event; logs the rows that really changed, as a set
create or replace function {audit}.record_statement()
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
    part text := case when root <> tg_relid then tg_relid::regclass::text end;
    redacted text[] := tg_argv[0]::text[];
    omitted text[] := tg_argv[1]::text[];
    key_columns text[];
    kept_columns text[];
    key_1 text;
    key_2 text;
    at timestamptz := clock_timestamp();
    proved text;
    acting text;
    acting_role text := case current_setting('role') when 'none' then session_user else current_setting('role') end;
    query bigint;
begin
    if tg_op = 'UPDATE' or tg_op = 'DELETE' then
        perform from old_rows limit 1;
        if not found then
            return null;
        end if;
    elsif tg_op = 'INSERT' then
        perform from new_rows limit 1;
        if not found then
            return null;
        end if;
    end if;
    if {identity_known} then
        proved := {identity}::text;
    end if;
    acting := coalesce(proved, nullif(current_setting('app.actor', true), ''));
    if pg_has_role({owner_name}, 'pg_read_all_stats', 'usage') then
        perform pg_stat_clear_snapshot();
        query := (select a.query_id from pg_stat_get_activity(pg_backend_pid()) a);
    end if;
    if tg_op = 'TRUNCATE' then
        insert into {audit}.log (recorded_at, relation_id, table_name, partition_name, action, old_values, actor,
            actor_verified, login_role, acting_role, client_address, application_name, query_id)
        values (at, root, root::regclass::text, part, 'T', tg_argv[2]::jsonb, acting,
            proved is not null, session_user, acting_role, inet_client_addr(), current_setting('application_name'), query);
        return null;
    end if;

    select k.key_columns, k.kept_columns into key_columns, kept_columns
    from {audit}.key_of(tg_relid) k;
    kept_columns := array(select c.name from unnest(kept_columns) c (name) where c.name <> all (redacted || omitted));
    key_1 := key_columns[1];
    key_2 := key_columns[2];

    if key_columns is null then
        -- no key: rows are told apart by all that is in them
        if tg_op = 'INSERT' then
            insert into {audit}.log (recorded_at, relation_id, table_name, partition_name, action, record_key,
                redacted_columns, actor, actor_verified, login_role, acting_role, client_address, application_name, query_id)
            select
                at, root, root::regclass::text, part, r.action, r.record - redacted, nullif(redacted, array[]::text[]),
                acting, proved is not null, session_user, acting_role, inet_client_addr(),
                current_setting('application_name'), query
            from (
                select 'I'::"char" as action, to_jsonb(new_rows) - omitted as record from new_rows
            ) r;
        elsif tg_op = 'DELETE' then
            insert into {audit}.log (recorded_at, relation_id, table_name, partition_name, action, record_key,
                redacted_columns, actor, actor_verified, login_role, acting_role, client_address, application_name, query_id)
            select
                at, root, root::regclass::text, part, r.action, r.record - redacted, nullif(redacted, array[]::text[]),
                acting, proved is not null, session_user, acting_role, inet_client_addr(),
                current_setting('application_name'), query
            from (
                select 'D'::"char" as action, to_jsonb(old_rows) - omitted as record from old_rows
            ) r;
        else
            insert into {audit}.log (recorded_at, relation_id, table_name, partition_name, action, record_key,
                redacted_columns, actor, actor_verified, login_role, acting_role, client_address, application_name, query_id)
            select
                at, root, root::regclass::text, part, r.action, r.record - redacted, nullif(redacted, array[]::text[]),
                acting, proved is not null, session_user, acting_role, inet_client_addr(),
                current_setting('application_name'), query
            from (
                select 'D'::"char" as action, gone.record
                from (
                    select to_jsonb(old_rows) - omitted from old_rows
                    except all
                    select to_jsonb(new_rows) - omitted from new_rows
                ) gone (record)
                union all
                select 'I'::"char", come.record
                from (
                    select to_jsonb(new_rows) - omitted from new_rows
                    except all
                    select to_jsonb(old_rows) - omitted from old_rows
                ) come (record)
            ) r
            order by r.action;
        end if;
    elsif tg_op = 'INSERT' then
        insert into {audit}.log (recorded_at, relation_id, table_name, partition_name, action, record_key,
            actor, actor_verified, login_role, acting_role, client_address, application_name, query_id)
        select
            at, root, root::regclass::text, part, 'I',
            case
                when key_2 is null then jsonb_build_object(key_1, n.record -> key_1)
                else (select jsonb_object_agg(c.name, n.record -> c.name) from unnest(key_columns) c (name))
            end,
            acting, proved is not null, session_user, acting_role, inet_client_addr(),
            current_setting('application_name'), query
        from (select to_jsonb(new_rows) as record from new_rows offset 0) n;
    elsif tg_op = 'DELETE' then
        insert into {audit}.log (recorded_at, relation_id, table_name, partition_name, action, record_key, old_values,
            redacted_columns, actor, actor_verified, login_role, acting_role, client_address, application_name, query_id)
        select
            at, root, root::regclass::text, part, 'D',
            case
                when key_2 is null then jsonb_build_object(key_1, o.record -> key_1)
                else (select jsonb_object_agg(c.name, o.record -> c.name) from unnest(key_columns) c (name))
            end,
            o.record - redacted - omitted, nullif(redacted, array[]::text[]),
            acting, proved is not null, session_user, acting_role, inet_client_addr(),
            current_setting('application_name'), query
        from (select to_jsonb(old_rows) as record from old_rows offset 0) o;
    else
        insert into {audit}.log (recorded_at, relation_id, table_name, partition_name, action, record_key, old_values,
            redacted_columns, actor, actor_verified, login_role, acting_role, client_address, application_name, query_id)
        select
            at, root, root::regclass::text, part, p.action, p.record_key, p.old_values, p.redacted_columns,
            acting, proved is not null, session_user, acting_role, inet_client_addr(),
            current_setting('application_name'), query
        from (
            select
                case when n.record is null then 'D' when o.record is null then 'I' else 'U' end::"char" as action,
                coalesce(o.record_key, n.record_key) as record_key,
                case
                    when o.record is null then null
                    when n.record is null then o.record - redacted - omitted
                    else (
                        select jsonb_object_agg(c.name, o.record -> c.name)
                        from unnest(kept_columns) c (name)
                        where o.record ->> c.name is distinct from n.record ->> c.name
                    )
                end as old_values,
                case
                    when o.record is null or redacted = array[]::text[] then null
                    when n.record is null then redacted
                    else (
                        select array_agg(c.name)
                        from unnest(redacted) c (name)
                        where o.record ->> c.name is distinct from n.record ->> c.name
                    )
                end as redacted_columns
            from (
                select
                    r.record,
                    case
                        when key_2 is null then jsonb_build_object(key_1, r.record -> key_1)
                        else (select jsonb_object_agg(c.name, r.record -> c.name) from unnest(key_columns) c (name))
                    end as record_key
                from (select to_jsonb(old_rows) as record from old_rows offset 0) r
                offset 0
            ) o
            full join (
                select
                    r.record,
                    case
                        when key_2 is null then jsonb_build_object(key_1, r.record -> key_1)
                        else (select jsonb_object_agg(c.name, r.record -> c.name) from unnest(key_columns) c (name))
                    end as record_key
                from (select to_jsonb(new_rows) as record from new_rows offset 0) r
                offset 0
            ) n on n.record_key = o.record_key
            offset 0
        ) p
        where p.action <> 'U'
            or p.old_values is not null
            or p.redacted_columns is not null;
    end if;
    return null;
end
$body$;

comment on function {audit}.record_statement() is
    'Logs the rows of a statement that changed. Runs with the rights of the audit owner, so that who changes a table '
    'needs none on the log. Arguments: columns whose values are not kept; columns that are left out.';

alter function {audit}.record_statement() owner to {owner};

revoke all on function {audit}.record_statement() from public;
