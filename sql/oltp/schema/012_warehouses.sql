-- warehouses: where stock is kept
create table shop.warehouses (
    warehouse_id uuid not null default uuidv7(),
    warehouse_code text not null,
    warehouse_name text not null,
    country_code shop.country_code not null,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint warehouses_pkey primary key (warehouse_id),
    constraint warehouses_warehouse_code_key unique (warehouse_code),
    constraint warehouses_country_code_fkey
        foreign key (country_code) references shop.countries (country_code) on delete restrict,
    constraint warehouses_warehouse_code_check check (warehouse_code ~ '^[A-Z0-9][A-Z0-9-]{0,19}$'),
    constraint warehouses_warehouse_name_check check (length(btrim(warehouse_name)) between 1 and 100)
);

comment on table shop.warehouses is 'Places that stock is kept in.';
comment on column shop.warehouses.warehouse_id is 'Ordered by time of creation (UUID version 7).';
comment on column shop.warehouses.warehouse_code is 'Short code, as printed on labels.';
comment on column shop.warehouses.warehouse_name is 'Name shown.';
comment on column shop.warehouses.country_code is 'Country.';
comment on column shop.warehouses.is_active is 'False once the warehouse is closed.';
comment on column shop.warehouses.created_at is 'When the row was inserted; fixed.';
comment on column shop.warehouses.updated_at is 'When the row last changed.';

create index warehouses_country_code_idx on shop.warehouses (country_code);

create trigger warehouses_timestamps
before update on shop.warehouses
for each row
when (old.* is distinct from new.*)
execute function shop.maintain_timestamps();
