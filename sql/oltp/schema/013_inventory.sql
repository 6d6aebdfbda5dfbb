-- inventory: the stock of a product in a warehouse; quantities are written by the ledger alone
create table shop.inventory (
    product_id uuid not null,
    warehouse_id uuid not null,
    quantity_available integer not null default 0,
    quantity_reserved integer not null default 0,
    reorder_point integer not null default 0,
    reorder_quantity integer not null default 1,
    last_restocked_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint inventory_pkey primary key (product_id, warehouse_id),
    constraint inventory_product_id_fkey
        foreign key (product_id) references shop.products (product_id) on delete restrict,
    constraint inventory_warehouse_id_fkey
        foreign key (warehouse_id) references shop.warehouses (warehouse_id) on delete restrict,
    constraint inventory_quantity_available_check check (quantity_available >= 0),
    constraint inventory_quantity_reserved_check check (quantity_reserved between 0 and quantity_available),
    constraint inventory_reorder_point_check check (reorder_point >= 0),
    constraint inventory_reorder_quantity_check check (reorder_quantity > 0),
    constraint inventory_version_check check (version > 0)
);

comment on table shop.inventory is
    'Stock on hand by product and warehouse. A product with stock cannot be deleted: it is retired by '
    'is_active.';
comment on column shop.inventory.product_id is 'The product.';
comment on column shop.inventory.warehouse_id is 'The warehouse.';
comment on column shop.inventory.quantity_available is
    'Derived: pieces on hand, the sum of stock_movements.quantity_delta. Kept true by trigger '
    'stock_movements_balance, which writes it, and by trigger inventory_ledger, which refuses any other writer.';
comment on column shop.inventory.quantity_reserved is
    'Derived: pieces on hand that orders have reserved, the sum of stock_movements.reserved_delta. Kept true by '
    'trigger stock_movements_balance and by trigger inventory_ledger.';
comment on column shop.inventory.reorder_point is 'Pieces free to sell at which to order more.';
comment on column shop.inventory.reorder_quantity is 'Pieces to order then.';
comment on column shop.inventory.last_restocked_at is 'Last receipt; NULL before the first.';
comment on column shop.inventory.version is
    'Goes up with each change: an update that says "where version = the one I read" cannot overwrite '
    'another.';
comment on column shop.inventory.created_at is 'When the row was inserted; fixed.';
comment on column shop.inventory.updated_at is 'When the row last changed.';

create index inventory_warehouse_id_product_id_idx on shop.inventory (warehouse_id, product_id);

create index inventory_reorder_idx on shop.inventory (warehouse_id, product_id)
where quantity_available - quantity_reserved - reorder_point <= 0;

-- Without it the planner guesses that a third of the rows are short, whatever the data, and the index looks dear.
create statistics shop.inventory_shortage (mcv)
on (quantity_available - quantity_reserved - reorder_point), warehouse_id
from shop.inventory;

comment on statistics shop.inventory_shortage is
    'How many products are at their reorder point, for the plan of the reorder list.';

create function shop.advance_inventory_version()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if new.version is not null then
        new.version := old.version + 1;
    end if;
    return new;
end
$$;

comment on function shop.advance_inventory_version() is 'Counts the changes of a row of inventory.';

create function shop.protect_inventory_quantities()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if pg_catalog.pg_trigger_depth() < 2 then
        raise exception 'quantities of inventory follow from stock_movements: insert a movement instead'
            using errcode = 'check_violation', schema = 'shop', table = 'inventory', constraint = 'inventory_ledger';
    end if;
    return null;
end
$$;

comment on function shop.protect_inventory_quantities() is
    'Refuses a change of quantities that does not come out of another trigger, which is to say the ledger''s.';

create trigger inventory_version
before update on shop.inventory
for each row
when (old.* is distinct from new.*)
execute function shop.advance_inventory_version();

create trigger inventory_timestamps
before update on shop.inventory
for each row
when (old.* is distinct from new.*)
execute function shop.maintain_timestamps();

create trigger inventory_ledger
after update on shop.inventory
for each row
when (
    old.quantity_available <> new.quantity_available
    or old.quantity_reserved <> new.quantity_reserved
)
execute function shop.protect_inventory_quantities();

create trigger inventory_ledger_start
after insert on shop.inventory
for each row
when (new.quantity_available <> 0 or new.quantity_reserved <> 0)
execute function shop.protect_inventory_quantities();
