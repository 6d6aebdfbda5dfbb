-- key_table: the wrapped data keys; nothing here opens a value without the key provider
-- the row of a destroyed key stays, without the key, so that its values can be told from damaged ones
create schema if not exists {schema};

create table if not exists {schema}.data_key (
    key_id bytea primary key check (pg_catalog.octet_length(key_id) = 32),
    purpose text not null check (purpose in ('values', 'index')),
    identity text not null default '',
    wrapped bytea,
    provider text not null,
    wrapping_key text not null,
    active boolean not null,
    sealed bigint not null default 0 check (sealed between 0 and 4294967296),
    made_at timestamptz not null default pg_catalog.now(),
    destroyed_at timestamptz,
    check ((wrapped is null) = (destroyed_at is not null)),
    check (not active or wrapped is not null)
);

create unique index if not exists data_key_one_active
    on {schema}.data_key (purpose, identity)
    where active;

revoke all on {schema}.data_key from public;
