-- products: what is sold, each in one currency; retired by is_active, never deleted once sold or stocked
create table shop.products (
    product_id uuid not null default uuidv7(),
    sku text not null,
    product_name text not null,
    description text,
    base_price shop.money_amount not null,
    currency_code shop.currency_code not null default 'USD',
    weight_grams integer,
    is_digital boolean not null default false,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint products_pkey primary key (product_id),
    constraint products_sku_key unique (sku),
    constraint products_product_id_currency_code_key unique (product_id, currency_code),
    constraint products_currency_code_fkey
        foreign key (currency_code) references shop.currencies (currency_code) on delete restrict,
    constraint products_sku_check check (sku ~ '^[A-Z0-9][A-Z0-9._-]{0,99}$'),
    constraint products_product_name_check check (length(btrim(product_name)) between 1 and 255),
    constraint products_weight_grams_check check (weight_grams > 0),
    constraint products_digital_weight_check check (not is_digital or weight_grams is null)
);

comment on table shop.products is
    'Catalogue. A product is priced and sold in one currency; the same article in another currency is a '
    'product of its own.';
comment on column shop.products.product_id is 'Ordered by time of creation (UUID version 7).';
comment on column shop.products.sku is 'Stock keeping unit: capitals, digits, dot, dash and underscore.';
comment on column shop.products.product_name is 'Name shown, searched by any part of it.';
comment on column shop.products.description is 'Free text.';
comment on column shop.products.base_price is
    'Price today, before tax and discount. What was paid is in order_items.unit_price.';
comment on column shop.products.currency_code is
    'Currency of base_price; fixed once an order holds the product.';
comment on column shop.products.weight_grams is 'Weight for shipping in grams; NULL for digital products.';
comment on column shop.products.is_digital is 'True where nothing is shipped or stocked.';
comment on column shop.products.is_active is 'False once the product is retired.';
comment on column shop.products.created_at is 'When the row was inserted; fixed.';
comment on column shop.products.updated_at is 'When the row last changed.';

create index products_product_name_idx on shop.products using gin (product_name extensions.gin_trgm_ops);

create index products_currency_code_base_price_idx on shop.products (currency_code, base_price);

create trigger products_timestamps
before update on shop.products
for each row
when (old.* is distinct from new.*)
execute function shop.maintain_timestamps();
