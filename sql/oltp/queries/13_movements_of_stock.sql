-- movements_of_stock: how the stock of a product in a warehouse came about, the latest first
-- frequency per hour: 200   index: shop.stock_movements_product_id_warehouse_id_moved_at_idx   scale: 0.01
-- parameter product_id: select i.product_id from shop.inventory i order by i.product_id, i.warehouse_id limit 1
-- parameter warehouse_id: select i.warehouse_id from shop.inventory i order by i.product_id, i.warehouse_id limit 1
select m.moved_at, m.movement_type, m.quantity_delta, m.reserved_delta, m.order_id
from shop.stock_movements m
where m.product_id = %(product_id)s::uuid
    and m.warehouse_id = %(warehouse_id)s::uuid
order by m.moved_at desc
limit 50;
