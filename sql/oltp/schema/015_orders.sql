-- orders: one currency, one user, addresses of that user, totals that follow from the lines
create table shop.orders (
    order_id uuid not null default uuidv7(),
    user_id uuid not null,
    order_number text not null,
    status shop.order_status not null default 'pending',
    payment_status shop.payment_status not null default 'pending',
    currency_code shop.currency_code not null default 'USD',
    subtotal shop.money_amount not null default 0,
    tax_amount shop.money_amount not null default 0,
    shipping_amount shop.money_amount not null default 0,
    discount_amount shop.money_amount not null default 0,
    total_amount shop.money_amount not null
        generated always as (subtotal + tax_amount + shipping_amount - discount_amount) stored,
    shipping_address_id uuid,
    billing_address_id uuid,
    notes text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint orders_pkey primary key (order_id),
    constraint orders_order_number_key unique (order_number),
    constraint orders_order_id_currency_code_key unique (order_id, currency_code),
    constraint orders_user_id_fkey
        foreign key (user_id) references shop.users (user_id) on delete restrict,
    constraint orders_currency_code_fkey
        foreign key (currency_code) references shop.currencies (currency_code) on delete restrict,
    constraint orders_shipping_address_fkey
        foreign key (user_id, shipping_address_id) references shop.addresses (user_id, address_id)
        on delete set null (shipping_address_id),
    constraint orders_billing_address_fkey
        foreign key (user_id, billing_address_id) references shop.addresses (user_id, address_id)
        on delete set null (billing_address_id),
    constraint orders_order_number_check check (order_number ~ '^[A-Z0-9][A-Z0-9-]{0,49}$'),
    constraint orders_discount_amount_check check (discount_amount <= subtotal),
    constraint orders_status_payment_check check (
        case status
            when 'pending' then payment_status in ('pending', 'partial', 'paid', 'failed')
            when 'processing' then payment_status in ('partial', 'paid')
            when 'shipped' then payment_status = 'paid'
            when 'delivered' then payment_status in ('paid', 'refunded')
            when 'cancelled' then payment_status in ('pending', 'failed', 'refunded')
            when 'returned' then payment_status in ('paid', 'refunded')
        end
    )
);

comment on table shop.orders is 'Orders: financial records, cancelled but never deleted.';
comment on column shop.orders.order_id is
    'Ordered by time of creation (UUID version 7), so that the latest orders are the end of the key.';
comment on column shop.orders.user_id is
    'Who ordered; a user with orders is erased (shop.erase_user), not deleted.';
comment on column shop.orders.order_number is 'Number for people: capitals, digits and dash.';
comment on column shop.orders.status is
    'How far the goods have come; changes only as order_status_transitions allows.';
comment on column shop.orders.payment_status is
    'How far the money has come; changes only as payment_status_transitions allows.';
comment on column shop.orders.currency_code is
    'Currency of every amount of the order and of its lines (order_items_order_id_currency_code_fkey).';
comment on column shop.orders.subtotal is
    'Derived: lines before tax, less their discounts. Kept true by trigger orders_totals and by trigger '
    'order_items_totals, both at the end of the transaction.';
comment on column shop.orders.tax_amount is
    'Derived: tax of the lines. Kept true by trigger orders_totals and by trigger order_items_totals, '
    'both at the end of the transaction.';
comment on column shop.orders.shipping_amount is 'Charge for shipping.';
comment on column shop.orders.discount_amount is
    'Discount on the order as a whole, at most its subtotal; those on lines are in order_items.';
comment on column shop.orders.total_amount is
    'Derived: subtotal + tax + shipping - discount. Kept true by column orders.total_amount, which is '
    'generated.';
comment on column shop.orders.shipping_address_id is
    'Entry of the user''s address book; NULL where nothing is shipped, or once it was deleted. The '
    'address as it was: order_addresses.';
comment on column shop.orders.billing_address_id is
    'Entry of the user''s address book; NULL once it was deleted. The address as it was: order_addresses.';
comment on column shop.orders.notes is 'What the user asked for.';
comment on column shop.orders.created_at is 'When the order was placed; fixed.';
comment on column shop.orders.updated_at is 'When the row last changed.';

create index orders_user_id_created_at_idx on shop.orders (user_id, created_at desc);

create index orders_shipping_address_idx on shop.orders (shipping_address_id, user_id);

create index orders_billing_address_idx on shop.orders (billing_address_id, user_id);

create index orders_currency_code_created_at_idx on shop.orders (currency_code, created_at) include (total_amount);

create index orders_open_idx on shop.orders (status, created_at)
where status in ('pending', 'processing');

create trigger orders_timestamps
before update on shop.orders
for each row
when (
    (
        old.user_id, old.order_number, old.status, old.payment_status, old.currency_code, old.subtotal,
        old.tax_amount, old.shipping_amount, old.discount_amount, old.shipping_address_id,
        old.billing_address_id, old.notes, old.created_at, old.updated_at
    ) is distinct from (
        new.user_id, new.order_number, new.status, new.payment_status, new.currency_code, new.subtotal,
        new.tax_amount, new.shipping_amount, new.discount_amount, new.shipping_address_id,
        new.billing_address_id, new.notes, new.created_at, new.updated_at
    )
)
execute function shop.maintain_timestamps();
