-- audit triggers: one a statement and an action, which logs the rows that really changed
create function audit.row_key(relation regclass)
returns text[]
language sql
stable
set search_path = ''
as $$
    select array_agg(a.attname::text order by k.position)
    from pg_catalog.pg_index i
    cross join lateral unnest(i.indkey::smallint[]) with ordinality k (attnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = relation
        and i.indisprimary
$$;

comment on function audit.row_key(regclass) is
    'Names of the columns of the primary key, in their order; NULL without one.';

create function audit.picked(record jsonb, columns text[])
returns jsonb
language sql
immutable
set search_path = ''
as $$
    select coalesce(jsonb_object_agg(c.name, record -> c.name order by c.name), '{}')
    from unnest(columns) c (name)
$$;

comment on function audit.picked(jsonb, text[]) is 'Of a row as JSON the named columns.';

create function audit.redacted(record jsonb, columns text[])
returns jsonb
language sql
immutable
set search_path = ''
as $$
    select coalesce(
        jsonb_object_agg(
            e.key,
            case when e.key = any (columns) and e.value <> 'null' then '"[redacted]"' else e.value end
            order by e.key
        ),
        '{}'
    )
    from jsonb_each(record) e
$$;

comment on function audit.redacted(jsonb, text[]) is
    'A row as JSON with the values of the named columns replaced: that they changed stays known, '
    'what they were does not.';

create function audit.record_change()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_variable
declare
    key_columns text[] := audit.row_key(tg_relid);
    redacted_columns text[] := coalesce(tg_argv[0], '{}')::text[];
    acting text := coalesce(nullif(pg_catalog.current_setting('app.actor', true), ''), session_user);
begin
    if tg_op = 'TRUNCATE' then
        insert into audit.log (relation_id, schema_name, table_name, action, actor)
        values (tg_relid, tg_table_schema, tg_table_name, 'T', acting);
    elsif tg_op = 'INSERT' then
        insert into audit.log (relation_id, schema_name, table_name, action, record_key, actor)
        select
            tg_relid, tg_table_schema, tg_table_name, 'I',
            audit.picked(pg_catalog.to_jsonb(new_rows.*), key_columns), acting
        from new_rows;
    elsif tg_op = 'DELETE' then
        insert into audit.log (relation_id, schema_name, table_name, action, record_key, old_values, actor)
        select
            tg_relid, tg_table_schema, tg_table_name, 'D', audit.picked(o.record, key_columns),
            audit.redacted(o.record, redacted_columns), acting
        from (select pg_catalog.to_jsonb(old_rows.*) as record from old_rows) o;
    else
        -- Old and new rows are paired by their key; a changed key reads as a deletion and an insertion.
        insert into audit.log (relation_id, schema_name, table_name, action, record_key, old_values, actor)
        select
            tg_relid, tg_table_schema, tg_table_name, paired.action, paired.record_key,
            case when paired.action <> 'I' then audit.redacted(paired.old_values, redacted_columns) end, acting
        from (
            select
                case when n.record_key is null then 'D' when o.record_key is null then 'I' else 'U' end as action,
                coalesce(o.record_key, n.record_key) as record_key,
                case
                    when n.record_key is null then o.record
                    else (
                        select pg_catalog.jsonb_object_agg(e.key, e.value)
                        from pg_catalog.jsonb_each(o.record) e
                        where e.value is distinct from n.record -> e.key
                            and e.key <> 'updated_at'
                    )
                end as old_values
            from (
                select r.record, audit.picked(r.record, key_columns) as record_key
                from (select pg_catalog.to_jsonb(old_rows.*) as record from old_rows) r
            ) o
            full join (
                select r.record, audit.picked(r.record, key_columns) as record_key
                from (select pg_catalog.to_jsonb(new_rows.*) as record from new_rows) r
            ) n on n.record_key = o.record_key
        ) paired
        where paired.action <> 'U'
            or paired.old_values is not null;
    end if;
    return null;
end
$$;

comment on function audit.record_change() is
    'Logs the rows of a statement that changed. Runs with the rights of audit_owner, so that who changes a table '
    'needs none on the log. The argument names the columns whose values are not to be kept.';

create procedure audit.watch(relation regclass, redacted_columns text[] default '{}')
language plpgsql
set search_path = ''
as $$
begin
    if audit.row_key(relation) is null then
        raise exception '% has no primary key: its rows could not be told apart in the audit trail', relation
            using errcode = 'invalid_table_definition';
    end if;
    execute pg_catalog.format(
        'create trigger audit_insert after insert on %s referencing new table as new_rows '
        'for each statement execute function audit.record_change(%L)',
        relation, redacted_columns
    );
    execute pg_catalog.format(
        'create trigger audit_update after update on %s referencing old table as old_rows new table as new_rows '
        'for each statement execute function audit.record_change(%L)',
        relation, redacted_columns
    );
    execute pg_catalog.format(
        'create trigger audit_delete after delete on %s referencing old table as old_rows '
        'for each statement execute function audit.record_change(%L)',
        relation, redacted_columns
    );
    execute pg_catalog.format(
        'create trigger audit_truncate after truncate on %s '
        'for each statement execute function audit.record_change(%L)',
        relation, redacted_columns
    );
end
$$;

comment on procedure audit.watch(regclass, text[]) is
    'Puts a table under audit, by triggers for the four actions. Personal data goes into redacted_columns.';

call audit.watch('shop.currencies');

call audit.watch('shop.countries');

call audit.watch('shop.users', '{email,username}');

call audit.watch(
    'shop.user_profiles',
    '{first_name,last_name,phone,date_of_birth,avatar_url,bio}'
);

call audit.watch(
    'shop.addresses',
    '{street_address_1,street_address_2,city,state_province,postal_code}'
);

call audit.watch('shop.categories');

call audit.watch('shop.products');

call audit.watch('shop.product_categories');

call audit.watch('shop.warehouses');

call audit.watch('shop.order_status_transitions');

call audit.watch('shop.payment_status_transitions');

call audit.watch('shop.orders', '{notes}');

call audit.watch('shop.order_items');

call audit.watch(
    'shop.order_addresses',
    '{street_address_1,street_address_2,city,state_province,postal_code}'
);

revoke all on schema audit from public;

revoke all on all tables in schema audit from public;

revoke all on all functions in schema audit from public;

revoke all on all procedures in schema audit from public;
