-- movements_of_order: what an order did to the stock
-- frequency per hour: 400   index: shop.stock_movements_order_id_line_number_idx   scale: 0.01
-- parameter order_id: select m.order_id from shop.stock_movements m order by m.movement_id desc limit 1
select m.line_number, m.moved_at, m.movement_type, m.quantity_delta, m.reserved_delta
from shop.stock_movements m
where m.order_id = %(order_id)s::uuid
order by m.line_number, m.movement_id;
