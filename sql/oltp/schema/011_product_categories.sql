-- product_categories: which products are in which categories
create table shop.product_categories (
    product_id uuid not null,
    category_id uuid not null,
    is_primary boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint product_categories_pkey primary key (product_id, category_id),
    constraint product_categories_product_id_fkey
        foreign key (product_id) references shop.products (product_id) on delete cascade,
    constraint product_categories_category_id_fkey
        foreign key (category_id) references shop.categories (category_id) on delete restrict
);

comment on table shop.product_categories is
    'A product may be in several categories, one of them primary. The rows are a part of the product and '
    'go with it.';
comment on column shop.product_categories.product_id is 'The product.';
comment on column shop.product_categories.category_id is
    'The category; it cannot be deleted while it holds products.';
comment on column shop.product_categories.is_primary is
    'The category that the product is shown under; at most one a product.';
comment on column shop.product_categories.created_at is 'When the row was inserted; fixed.';
comment on column shop.product_categories.updated_at is 'When the row last changed.';

create unique index product_categories_primary_key on shop.product_categories (product_id)
where is_primary;

create index product_categories_category_id_product_id_idx on shop.product_categories (category_id, product_id);

create trigger product_categories_timestamps
before update on shop.product_categories
for each row
when (old.* is distinct from new.*)
execute function shop.maintain_timestamps();
