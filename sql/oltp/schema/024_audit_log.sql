-- audit.log: who changed what and when; it can be added to and read, not changed, and has an owner of its own
do $$
begin
    if not exists (select from pg_catalog.pg_roles r where r.rolname = 'audit_owner') then
        create role audit_owner nologin;
    end if;
exception
    -- Roles belong to the cluster: another database may have made it in the meantime.
    when duplicate_object or unique_violation then
        null;
end
$$;

do $$
begin
    if not pg_catalog.pg_has_role('audit_owner', 'set') then
        execute pg_catalog.format('grant audit_owner to %I', current_user);
    end if;
end
$$;

create schema audit;

comment on schema audit is
    'The audit trail. It refers to no live table, so that none of them is held back by it.';

create table audit.log (
    audit_id bigint generated always as identity,
    recorded_at timestamptz not null default clock_timestamp(),
    transaction_id xid8 not null default pg_current_xact_id(),
    relation_id oid not null,
    schema_name name not null,
    table_name name not null,
    action text not null,
    record_key jsonb,
    old_values jsonb,
    actor text not null,
    login_role name not null default session_user,
    client_address inet default inet_client_addr(),
    application_name text not null default current_setting('application_name'),
    constraint log_pkey primary key (recorded_at, audit_id),
    constraint log_action_check check (action in ('I', 'U', 'D', 'T')),
    constraint log_record_key_check check ((action = 'T') = (record_key is null)),
    constraint log_old_values_check check ((action in ('U', 'D')) = (old_values is not null))
) partition by range (recorded_at);

comment on table audit.log is
    'One row for each row that was inserted, updated or deleted, and one for each truncation. Append-only for every '
    'role: trigger log_append_only. A partition a month; a month is retired by detaching its partition.';
comment on column audit.log.audit_id is 'Order of entry.';
comment on column audit.log.recorded_at is
    'When the entry was made, by the clock, not when its transaction began.';
comment on column audit.log.transaction_id is 'The transaction; entries of one transaction belong together.';
comment on column audit.log.relation_id is 'OID of the table, which survives a new name.';
comment on column audit.log.schema_name is 'Schema of the table at that time.';
comment on column audit.log.table_name is 'Name of the table at that time.';
comment on column audit.log.action is 'I(nsert), U(pdate), D(elete) or T(runcate).';
comment on column audit.log.record_key is
    'Primary key of the row, column by column, whatever its types; NULL for a truncation.';
comment on column audit.log.old_values is
    'Values before: of the changed columns for U, of all for D. What came after is in the live row or in a later entry.';
comment on column audit.log.actor is
    'Who did it for the application (setting app.actor), else the login role. No key of a user table.';
comment on column audit.log.login_role is 'Role that logged in.';
comment on column audit.log.client_address is 'Address of the client; NULL over a local socket.';
comment on column audit.log.application_name is 'What the client calls itself.';

create index log_record_idx on audit.log (table_name, schema_name, record_key);

create index log_actor_idx on audit.log (actor, recorded_at);

create function audit.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, pg_catalog.lower(tg_op)
        using errcode = 'insufficient_privilege', schema = tg_table_schema, table = tg_table_name;
end
$$;

comment on function audit.refuse_change() is 'Raises insufficient_privilege, whoever asks.';

create trigger log_append_only
before update or delete on audit.log
for each row
execute function audit.refuse_change();

create trigger log_append_only_truncate
before truncate on audit.log
for each statement
execute function audit.refuse_change();

create table audit.log_default partition of audit.log default;

comment on table audit.log_default is
    'Entries of months that have no partition. Rows here mean that audit.ensure_partitions was not called '
    'in time.';

create trigger log_append_only_truncate
before truncate on audit.log_default
for each statement
execute function audit.refuse_change();

create function audit.ensure_partitions(first_month date, last_month date)
returns setof text
language plpgsql
set search_path = ''
as $$
declare
    starts date;
    partition_name text;
begin
    for starts in
        select m.starts::date
        from pg_catalog.generate_series(
            pg_catalog.date_trunc('month', first_month::timestamp),
            pg_catalog.date_trunc('month', last_month::timestamp),
            interval '1 month'
        ) m (starts)
        order by m.starts
    loop
        partition_name := 'log_' || pg_catalog.to_char(starts, 'YYYY_MM');
        continue when pg_catalog.to_regclass(pg_catalog.format('audit.%I', partition_name)) is not null;
        execute pg_catalog.format(
            'create table audit.%I partition of audit.log for values from (%L) to (%L)',
            partition_name,
            starts::timestamp at time zone 'UTC',
            (starts + interval '1 month') at time zone 'UTC'
        );
        execute pg_catalog.format(
            'create trigger log_append_only_truncate before truncate on audit.%I '
            'for each statement execute function audit.refuse_change()',
            partition_name
        );
        execute pg_catalog.format('comment on table audit.%I is %L', partition_name,
            'Entries of ' || pg_catalog.to_char(starts, 'FMMonth YYYY') || ' (UTC).');
        return next partition_name;
    end loop;
end
$$;

comment on function audit.ensure_partitions(date, date) is
    'Makes the missing monthly partitions from the one month to the other, both included, and returns their names.';

select audit.ensure_partitions(current_date, (current_date + interval '3 months')::date);
