-- order_addresses: the addresses of an order as they were when it was placed
create table shop.order_addresses (
    order_id uuid not null,
    address_role text not null,
    street_address_1 text not null,
    street_address_2 text,
    city text not null,
    state_province text,
    postal_code text,
    country_code shop.country_code not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint order_addresses_pkey primary key (order_id, address_role),
    constraint order_addresses_order_id_fkey
        foreign key (order_id) references shop.orders (order_id) on delete restrict,
    constraint order_addresses_address_role_check check (address_role in ('billing', 'shipping'))
);

comment on table shop.order_addresses is
    'Copy of an entry of the address book, taken by trigger orders_address_copy when an order names it. History, not a '
    'derived value: a later change or deletion of the entry does not reach it. So there is no '
    'foreign key to countries either.';
comment on column shop.order_addresses.order_id is 'The order.';
comment on column shop.order_addresses.address_role is 'What the order used it for: billing or shipping.';
comment on column shop.order_addresses.street_address_1 is 'Street and number.';
comment on column shop.order_addresses.street_address_2 is 'Second line.';
comment on column shop.order_addresses.city is 'City.';
comment on column shop.order_addresses.state_province is 'State or province.';
comment on column shop.order_addresses.postal_code is 'Postal code.';
comment on column shop.order_addresses.country_code is 'Country.';
comment on column shop.order_addresses.created_at is 'When the copy was taken; fixed.';
comment on column shop.order_addresses.updated_at is 'When the row last changed.';

create function shop.copy_order_addresses()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    insert into shop.order_addresses (
        order_id, address_role, street_address_1, street_address_2, city, state_province, postal_code,
        country_code, created_at, updated_at
    )
    select
        named.order_id, named.address_role, a.street_address_1, a.street_address_2, a.city, a.state_province,
        a.postal_code, a.country_code, named.named_at, named.named_at
    from (
        select o.order_id, 'billing' as address_role, o.billing_address_id as address_id, o.created_at as named_at
        from changed o
        union all
        select o.order_id, 'shipping', o.shipping_address_id, o.created_at
        from changed o
    ) named
    join shop.addresses a on a.address_id = named.address_id
    order by named.order_id, named.address_role
    on conflict (order_id, address_role) do nothing;
    return null;
end
$$;

comment on function shop.copy_order_addresses() is 'Copies the addresses that new orders name.';

create function shop.replace_order_addresses()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    insert into shop.order_addresses (
        order_id, address_role, street_address_1, street_address_2, city, state_province, postal_code, country_code
    )
    select
        named.order_id, named.address_role, a.street_address_1, a.street_address_2, a.city, a.state_province,
        a.postal_code, a.country_code
    from (
        select n.order_id, 'billing' as address_role, n.billing_address_id as address_id
        from changed n
        join replaced o on o.order_id = n.order_id
        where n.billing_address_id is distinct from o.billing_address_id
        union all
        select n.order_id, 'shipping', n.shipping_address_id
        from changed n
        join replaced o on o.order_id = n.order_id
        where n.shipping_address_id is distinct from o.shipping_address_id
    ) named
    join shop.addresses a on a.address_id = named.address_id
    order by named.order_id, named.address_role
    on conflict (order_id, address_role) do update
    set
        street_address_1 = excluded.street_address_1,
        street_address_2 = excluded.street_address_2,
        city = excluded.city,
        state_province = excluded.state_province,
        postal_code = excluded.postal_code,
        country_code = excluded.country_code;
    return null;
end
$$;

comment on function shop.replace_order_addresses() is
    'Copies the address that an order names instead of another. An entry that was deleted from '
    'the address book leaves the copy.';

create trigger orders_address_copy
after insert on shop.orders
referencing new table as changed
for each statement
execute function shop.copy_order_addresses();

create trigger orders_address_change
after update on shop.orders
referencing old table as replaced new table as changed
for each statement
execute function shop.replace_order_addresses();

create trigger order_addresses_timestamps
before update on shop.order_addresses
for each row
when (old.* is distinct from new.*)
execute function shop.maintain_timestamps();
