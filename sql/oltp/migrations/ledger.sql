-- ledger: where the migrations that were applied are recorded
create schema if not exists shop;

create table if not exists shop.schema_migrations (
    version integer not null,
    migration_name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp(),
    applied_by text not null default session_user,
    constraint schema_migrations_pkey primary key (version),
    constraint schema_migrations_version_check check (version > 0),
    constraint schema_migrations_checksum_check check (checksum ~ '^[0-9a-f]{64}$')
);

comment on table shop.schema_migrations is
    'Migrations that were applied to this database, each in one transaction with its row here.';
comment on column shop.schema_migrations.version is
    'Number at the head of the file''s name; the order of application.';
comment on column shop.schema_migrations.migration_name is 'Rest of the file''s name.';
comment on column shop.schema_migrations.checksum is
    'SHA-256 of the file: a file that was edited afterwards is found out.';
comment on column shop.schema_migrations.applied_at is 'When.';
comment on column shop.schema_migrations.applied_by is 'The login role that applied it.';
