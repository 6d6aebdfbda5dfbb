-- order_items: the numbered lines of an order, in its currency
create table shop.order_items (
    order_id uuid not null,
    line_number integer not null,
    product_id uuid not null,
    currency_code shop.currency_code not null,
    quantity integer not null,
    unit_price shop.money_amount not null,
    discount_amount shop.money_amount not null default 0,
    tax_amount shop.money_amount not null default 0,
    total_amount shop.money_amount not null
        generated always as (quantity * unit_price - discount_amount + tax_amount) stored,
    status shop.order_status not null default 'pending',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint order_items_pkey primary key (order_id, line_number),
    constraint order_items_order_id_currency_code_fkey
        foreign key (order_id, currency_code) references shop.orders (order_id, currency_code) on delete restrict,
    constraint order_items_product_id_currency_code_fkey
        foreign key (product_id, currency_code) references shop.products (product_id, currency_code)
        on delete restrict,
    constraint order_items_line_number_check check (line_number > 0),
    constraint order_items_quantity_check check (quantity > 0),
    constraint order_items_discount_amount_check check (discount_amount <= quantity * unit_price)
);

comment on table shop.order_items is
    'Lines of orders. Price, discount and tax are those of the day of the order, not copies of the '
    'product''s.';
comment on column shop.order_items.order_id is 'The order.';
comment on column shop.order_items.line_number is
    'Position in the order, from 1; the same product may stand on two lines.';
comment on column shop.order_items.product_id is 'The product.';
comment on column shop.order_items.currency_code is
    'Derived: the currency of the order and of the product, which must be the same. Kept true by constraint '
    'order_items_order_id_currency_code_fkey and by constraint order_items_product_id_currency_code_fkey.';
comment on column shop.order_items.quantity is 'Pieces.';
comment on column shop.order_items.unit_price is
    'Price of one piece when it was ordered, before tax and discount.';
comment on column shop.order_items.discount_amount is 'Discount on the line, at most quantity * unit_price.';
comment on column shop.order_items.tax_amount is 'Tax on the line.';
comment on column shop.order_items.total_amount is
    'Derived: quantity * unit_price - discount + tax. Kept true by column order_items.total_amount, which '
    'is generated.';
comment on column shop.order_items.status is
    'How far this line has come: lines may be shipped, cancelled and returned one by one.';
comment on column shop.order_items.created_at is 'When the row was inserted; fixed.';
comment on column shop.order_items.updated_at is 'When the row last changed.';

comment on constraint order_items_order_id_currency_code_fkey on shop.order_items is
    'Served by the index of the primary key: order_id alone finds the lines of one order and no others.';

create index order_items_product_id_currency_code_idx on shop.order_items (product_id, currency_code);

create trigger order_items_timestamps
before update on shop.order_items
for each row
when (
    (
        old.order_id, old.line_number, old.product_id, old.currency_code, old.quantity, old.unit_price,
        old.discount_amount, old.tax_amount, old.status, old.created_at, old.updated_at
    ) is distinct from (
        new.order_id, new.line_number, new.product_id, new.currency_code, new.quantity, new.unit_price,
        new.discount_amount, new.tax_amount, new.status, new.created_at, new.updated_at
    )
)
execute function shop.maintain_timestamps();
