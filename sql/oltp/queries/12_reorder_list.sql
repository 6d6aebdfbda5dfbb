-- reorder_list: what a warehouse has to order
-- frequency per hour: 4   index: shop.inventory_reorder_idx   scale: 0.01
-- parameter warehouse_id: select w.warehouse_id from shop.warehouses w order by w.warehouse_id limit 1
select i.product_id, i.quantity_available, i.quantity_reserved, i.reorder_point, i.reorder_quantity
from shop.inventory i
where i.warehouse_id = %(warehouse_id)s::uuid
    and i.quantity_available - i.quantity_reserved - i.reorder_point <= 0
order by i.product_id;
