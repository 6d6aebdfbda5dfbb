-- user_profiles: what a user tells about herself; at most one row a user
create table shop.user_profiles (
    user_id uuid not null,
    first_name text,
    last_name text,
    phone text,
    date_of_birth date,
    avatar_url text,
    bio text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint user_profiles_pkey primary key (user_id),
    constraint user_profiles_user_id_fkey
        foreign key (user_id) references shop.users (user_id) on delete restrict,
    constraint user_profiles_first_name_check check (length(btrim(first_name)) between 1 and 100),
    constraint user_profiles_last_name_check check (length(btrim(last_name)) between 1 and 100),
    constraint user_profiles_phone_check check (phone ~ '^\+[1-9][0-9]{6,14}$'),
    constraint user_profiles_date_of_birth_check check (date_of_birth between date '1900-01-01' and current_date),
    constraint user_profiles_avatar_url_check check (avatar_url ~ '^https?://' and length(avatar_url) <= 500)
);

comment on table shop.user_profiles is
    'Optional personal data, apart from the account so that it can be erased alone. The user is the key: '
    'one profile a user.';
comment on column shop.user_profiles.user_id is 'The user; key of the one-to-one relationship.';
comment on column shop.user_profiles.first_name is 'Given name.';
comment on column shop.user_profiles.last_name is 'Family name.';
comment on column shop.user_profiles.phone is 'In E.164 form: a plus sign and 7 to 15 digits.';
comment on column shop.user_profiles.date_of_birth is
    'Not in the future when it is written, and not before 1900.';
comment on column shop.user_profiles.avatar_url is 'Address of a picture (http or https).';
comment on column shop.user_profiles.bio is 'Free text.';
comment on column shop.user_profiles.created_at is 'When the row was inserted; fixed.';
comment on column shop.user_profiles.updated_at is 'When the row last changed.';

create trigger user_profiles_timestamps
before update on shop.user_profiles
for each row
when (old.* is distinct from new.*)
execute function shop.maintain_timestamps();
