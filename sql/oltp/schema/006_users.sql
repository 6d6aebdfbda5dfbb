-- users: accounts, never deleted: closed by is_active, made anonymous by shop.erase_user
create table shop.users (
    user_id uuid not null default uuidv7(),
    email text not null,
    username text not null,
    is_active boolean not null default true,
    last_login_at timestamptz,
    erased_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint users_pkey primary key (user_id),
    constraint users_email_check check (
        email ~ '^[^@[:space:]]+@[^@[:space:]]+\.[^@[:space:].]+$' and length(email) <= 254
    ),
    constraint users_username_check check (length(username) between 1 and 50 and username = btrim(username)),
    constraint users_erased_check check (erased_at is null or not is_active)
);

comment on table shop.users is
    'Accounts of the shop. Orders refer to them, so they are never deleted: see shop.erase_user.';
comment on column shop.users.user_id is
    'Ordered by time of creation (UUID version 7), so that the newest accounts are the end of the key.';
comment on column shop.users.email is
    'Address for mail, kept in small letters without blanks around it; unique whatever the case.';
comment on column shop.users.username is
    'Name shown to others, in the case that the user chose; unique whatever the case.';
comment on column shop.users.is_active is 'False once the account is closed.';
comment on column shop.users.last_login_at is 'Last successful login; NULL before the first.';
comment on column shop.users.erased_at is 'When the personal data was erased; NULL where it was not.';
comment on column shop.users.created_at is 'When the row was inserted; fixed.';
comment on column shop.users.updated_at is 'When the row last changed.';

create unique index users_email_key on shop.users (lower(email));

create unique index users_username_key on shop.users (lower(username));

create function shop.normalise_user_names()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    new.email := pg_catalog.lower(pg_catalog.btrim(new.email));
    new.username := pg_catalog.btrim(new.username);
    return new;
end
$$;

comment on function shop.normalise_user_names() is
    'Brings email and username into the form in which they are compared.';

create trigger users_normalise
before insert or update of email, username on shop.users
for each row
execute function shop.normalise_user_names();

create trigger users_timestamps
before update on shop.users
for each row
when (old.* is distinct from new.*)
execute function shop.maintain_timestamps();
