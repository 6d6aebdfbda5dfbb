-- log: who changed what and when; a partition a month; it can be added to and read, and belongs to the audit owner
create table if not exists {audit}.log (
    entry_id bigint generated always as identity,
    recorded_at timestamptz not null,
    transaction_id xid8 not null default pg_catalog.pg_current_xact_id(),
    relation_id oid not null,
    table_name text not null,
    partition_name text,
    action "char" not null,
    record_key jsonb,
    old_values jsonb,
    redacted_columns text[],
    actor text,
    actor_verified boolean not null,
    login_role text not null,
    acting_role text not null,
    client_address inet,
    application_name text not null,
    query_id bigint,
    constraint log_action_check check (action in ('I', 'U', 'D', 'T')),
    constraint log_record_key_check check ((action = 'T') = (record_key is null))
) partition by range (recorded_at);

comment on table {audit}.log is
    'One row for each row that was inserted, updated or deleted, and one for each relation that was truncated. '
    'Append-only. A partition a month (UTC).';
comment on column {audit}.log.entry_id is 'Order of entry.';
comment on column {audit}.log.recorded_at is
    'When the statement had done its work, by the clock; the same for all rows of a statement-level trigger.';
comment on column {audit}.log.transaction_id is 'The transaction; entries of one transaction belong together.';
comment on column {audit}.log.relation_id is 'OID of the table (of a partition: of the whole), which survives a new name.';
comment on column {audit}.log.table_name is 'Name of the table at that time, as SQL would write it.';
comment on column {audit}.log.partition_name is 'The partition, where the statement named it itself.';
comment on column {audit}.log.action is 'I(nsert), U(pdate), D(elete) or T(runcate); a changed key is a D and an I.';
comment on column {audit}.log.record_key is
    'Key of the row, column by column; of a table without one the whole row; NULL for a truncation.';
comment on column {audit}.log.old_values is
    'Values before: of the changed columns for U, of all for D. What came after is in the row or in a later entry.';
comment on column {audit}.log.redacted_columns is 'Columns that changed and whose values are not kept.';
comment on column {audit}.log.actor is
    'For whom: the identity that a signed token proved, else what the setting app.actor claims.';
comment on column {audit}.log.actor_verified is 'Whether a signed token proved the actor.';
comment on column {audit}.log.login_role is 'Role that logged in.';
comment on column {audit}.log.acting_role is 'Role that was set, or else the one that logged in.';
comment on column {audit}.log.query_id is
    'Query identifier (compute_query_id), never the text; NULL unless the audit owner has pg_read_all_stats.';

-- a hash index takes a key of any length, and costs a write less than a B-tree in random order
create index if not exists log_record_key_idx on {audit}.log using hash (record_key);

create index if not exists log_transaction_idx on {audit}.log (transaction_id, entry_id);

create index if not exists log_recorded_at_idx on {audit}.log using brin (recorded_at) with (pages_per_range = 16);

create table if not exists {audit}.log_default partition of {audit}.log default;

comment on table {audit}.log_default is
    'Entries of months that have no partition: rows here mean that ensure_partitions was not called in time.';

-- what is under audit, as it was when it was put there: shows a partition that was detached since
create table if not exists {audit}.watched (
    relation_id oid primary key,
    root_id oid not null,
    relation_name text not null,
    by_row boolean not null,
    watched_at timestamptz not null default pg_catalog.clock_timestamp()
);

comment on table {audit}.watched is 'Every relation that was put under audit, partitions among them.';

alter table {audit}.log owner to {owner};

alter table {audit}.log_default owner to {owner};

alter table {audit}.watched owner to {owner};
