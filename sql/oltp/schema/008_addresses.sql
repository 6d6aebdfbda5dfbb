-- addresses: the address book; an order keeps its own copy in shop.order_addresses
create table shop.addresses (
    address_id uuid not null default uuidv7(),
    user_id uuid not null,
    address_type shop.address_type not null,
    street_address_1 text not null,
    street_address_2 text,
    city text not null,
    state_province text,
    postal_code text,
    country_code shop.country_code not null,
    is_default boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint addresses_pkey primary key (address_id),
    constraint addresses_user_id_address_id_key unique (user_id, address_id),
    constraint addresses_user_id_fkey
        foreign key (user_id) references shop.users (user_id) on delete restrict,
    constraint addresses_country_code_fkey
        foreign key (country_code) references shop.countries (country_code) on delete restrict,
    constraint addresses_street_address_1_check check (length(btrim(street_address_1)) between 1 and 255),
    constraint addresses_street_address_2_check check (length(btrim(street_address_2)) between 1 and 255),
    constraint addresses_city_check check (length(btrim(city)) between 1 and 100),
    constraint addresses_state_province_check check (length(btrim(state_province)) between 1 and 100),
    constraint addresses_postal_code_check check (length(btrim(postal_code)) between 1 and 20)
);

comment on table shop.addresses is
    'Address book of a user. Entries may be edited and deleted: orders carry a copy. City and state are not '
    'split off by postal code: in most countries a code does not determine them, so there is no such '
    'dependency.';
comment on column shop.addresses.address_id is 'Ordered by time of creation (UUID version 7).';
comment on column shop.addresses.user_id is
    'Owner. Together with address_id the target of the foreign keys of orders, so that an order has '
    'addresses of its own user only.';
comment on column shop.addresses.address_type is
    'For which purpose it may be used: billing, shipping or both.';
comment on column shop.addresses.street_address_1 is 'Street and number.';
comment on column shop.addresses.street_address_2 is 'Second line.';
comment on column shop.addresses.city is 'City.';
comment on column shop.addresses.state_province is 'State or province, where the country has them.';
comment on column shop.addresses.postal_code is 'Postal code, where the country has them.';
comment on column shop.addresses.country_code is 'Country.';
comment on column shop.addresses.is_default is
    'Chosen unless the user says otherwise; at most one a user and purpose.';
comment on column shop.addresses.created_at is 'When the row was inserted; fixed.';
comment on column shop.addresses.updated_at is 'When the row last changed.';

create unique index addresses_default_billing_key on shop.addresses (user_id)
where is_default and address_type in ('billing', 'both');

create unique index addresses_default_shipping_key on shop.addresses (user_id)
where is_default and address_type in ('shipping', 'both');

create index addresses_country_code_postal_code_idx on shop.addresses (country_code, postal_code);

create trigger addresses_timestamps
before update on shop.addresses
for each row
when (old.* is distinct from new.*)
execute function shop.maintain_timestamps();
