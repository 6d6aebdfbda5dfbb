-- token_keys: the keys that tokens are signed with, padded as RFC 2104 has it; read by current_identity alone
-- needs: PostgreSQL 13   placeholders: table, owner
create table if not exists {table} (
    key_id text not null primary key check (key_id ~ '^[a-z0-9_-]{{1,32}}$'),
    inner_pad bytea not null check (pg_catalog.length(inner_pad) = 64),
    outer_pad bytea not null check (pg_catalog.length(outer_pad) = 64),
    not_before timestamptz not null default pg_catalog.now(),
    not_after timestamptz not null default 'infinity',
    check (not_before < not_after)
);
alter table {table} owner to {owner};
revoke all on table {table} from public;
comment on table {table} is
    'Keys of tokens, as inner and outer pad of HMAC-SHA-256. Who reads them can sign for anybody.';
