-- stock_movements: what the orders reserved, shipped, released and brought back, and receipts ahead of it
-- Each quarter begins with a receipt of what its orders will reserve, so no balance is ever below zero.
create temporary table new_order_movements on commit drop as
select
    i.number,
    i.line_number,
    i.product_id,
    i.quantity,
    w.warehouse_id,
    o.order_id,
    o.created_at,
    o.pace,
    o.path
from new_order_items i
join new_orders o on o.number = i.number
cross join settings s
join new_warehouses w
    on w.currency_code = i.currency_code
    and w.number_in_market = 1 + floor(w.warehouses_in_market * pg_temp.unit(i.number, s.seed + 600))::integer
where not i.is_digital;

analyze new_order_movements;

insert into shop.stock_movements (
    product_id, warehouse_id, movement_type, quantity_delta, reserved_delta, order_id, line_number, moved_at, moved_by
)
select
    m.product_id, m.warehouse_id, m.movement_type, m.quantity_delta, m.reserved_delta, m.order_id, m.line_number,
    m.moved_at, 'shop'
from (
    select
        p.product_id,
        w.warehouse_id,
        'receipt' as movement_type,
        1 + floor(300 * pg_temp.unit(p.number, s.seed + 610 + w.number))::integer as quantity_delta,
        0 as reserved_delta,
        null::uuid as order_id,
        null::integer as line_number,
        s.orders_start - interval '7 days' as moved_at
    from new_products p
    join new_warehouses w on w.currency_code = p.currency_code
    cross join settings s
    where not p.is_digital
    union all
    select
        o.product_id, o.warehouse_id, 'receipt', sum(o.quantity)::integer, 0, null, null,
        date_trunc('quarter', o.created_at, 'UTC') - interval '1 hour'
    from new_order_movements o
    group by o.product_id, o.warehouse_id, date_trunc('quarter', o.created_at, 'UTC')
    union all
    select o.product_id, o.warehouse_id, 'reservation', 0, o.quantity, o.order_id, o.line_number, o.created_at
    from new_order_movements o
    union all
    select
        o.product_id, o.warehouse_id, k.movement_type, k.quantity_sign * o.quantity, k.reserved_sign * o.quantity,
        o.order_id, o.line_number, o.created_at + p.delay * o.pace
    from new_order_movements o
    join (
        values
            ('shipped', 'shipment', -1, -1),
            ('cancelled', 'release', 0, -1),
            ('returned', 'return', 1, 0)
    ) k (status, movement_type, quantity_sign, reserved_sign) on true
    join order_paths p
        on p.path = o.path
        and p.to_status = k.status
        and p.from_status <> k.status
) m
order by m.moved_at, m.order_id, m.line_number, m.product_id, m.warehouse_id;
