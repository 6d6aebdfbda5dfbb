-- stock_movements: the ledger of stock; inventory is its balance
create table shop.stock_movements (
    movement_id bigint generated always as identity,
    product_id uuid not null,
    warehouse_id uuid not null,
    movement_type text not null,
    quantity_delta integer not null default 0,
    reserved_delta integer not null default 0,
    order_id uuid,
    line_number integer,
    moved_at timestamptz not null default now(),
    moved_by text not null default session_user,
    constraint stock_movements_pkey primary key (movement_id),
    constraint stock_movements_inventory_fkey
        foreign key (product_id, warehouse_id) references shop.inventory (product_id, warehouse_id)
        on delete restrict,
    constraint stock_movements_order_item_fkey
        foreign key (order_id, line_number) references shop.order_items (order_id, line_number)
        on delete restrict,
    constraint stock_movements_order_item_check check ((order_id is null) = (line_number is null)),
    constraint stock_movements_deltas_check check (
        case movement_type
            when 'receipt' then quantity_delta > 0 and reserved_delta = 0 and order_id is null
            when 'reservation' then quantity_delta = 0 and reserved_delta > 0 and order_id is not null
            when 'release' then quantity_delta = 0 and reserved_delta < 0 and order_id is not null
            when 'shipment' then quantity_delta < 0 and reserved_delta = quantity_delta and order_id is not null
            when 'return' then quantity_delta > 0 and reserved_delta = 0 and order_id is not null
            when 'adjustment' then quantity_delta <> 0 and reserved_delta = 0 and order_id is null
            else false
        end
    )
);

comment on table shop.stock_movements is
    'Ledger of stock, append-only: a mistake is corrected by an adjustment, not by an edit.';
comment on column shop.stock_movements.movement_id is 'Order of entry.';
comment on column shop.stock_movements.product_id is 'The product.';
comment on column shop.stock_movements.warehouse_id is 'The warehouse.';
comment on column shop.stock_movements.movement_type is
    'receipt, reservation, release, shipment, return or adjustment; it decides the signs of the deltas.';
comment on column shop.stock_movements.quantity_delta is 'Pieces that came (above 0) or went (below 0).';
comment on column shop.stock_movements.reserved_delta is
    'Pieces that were reserved (above 0), released or shipped (below 0).';
comment on column shop.stock_movements.order_id is 'Order that caused it; NULL for receipts and adjustments.';
comment on column shop.stock_movements.line_number is 'Line of that order.';
comment on column shop.stock_movements.moved_at is 'When.';
comment on column shop.stock_movements.moved_by is 'The login role that entered it.';

create index stock_movements_product_id_warehouse_id_moved_at_idx
on shop.stock_movements (product_id, warehouse_id, moved_at);

create index stock_movements_order_id_line_number_idx on shop.stock_movements (order_id, line_number);

create function shop.balance_inventory()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    -- In key order, so that two statements that move the same products wait for each other and do not deadlock.
    perform
    from shop.inventory i
    where (i.product_id, i.warehouse_id) in (select m.product_id, m.warehouse_id from entered m)
    order by i.product_id, i.warehouse_id
    for no key update;
    update shop.inventory i
    set
        quantity_available = i.quantity_available + m.quantity_delta,
        quantity_reserved = i.quantity_reserved + m.reserved_delta,
        last_restocked_at = greatest(i.last_restocked_at, m.last_restocked_at)
    from (
        select
            e.product_id,
            e.warehouse_id,
            sum(e.quantity_delta) as quantity_delta,
            sum(e.reserved_delta) as reserved_delta,
            max(e.moved_at) filter (where e.movement_type = 'receipt') as last_restocked_at
        from entered e
        group by e.product_id, e.warehouse_id
    ) m
    where i.product_id = m.product_id
        and i.warehouse_id = m.warehouse_id;
    return null;
end
$$;

comment on function shop.balance_inventory() is
    'Adds new movements to the balance in inventory, whose checks then refuse what the stock does not allow.';

create trigger stock_movements_balance
after insert on shop.stock_movements
referencing new table as entered
for each statement
execute function shop.balance_inventory();

create trigger stock_movements_append_only
before update or delete or truncate on shop.stock_movements
for each statement
execute function shop.refuse_change();
