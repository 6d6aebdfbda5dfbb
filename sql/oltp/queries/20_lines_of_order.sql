-- lines_of_order: an order with its lines
-- frequency per hour: 18000   index: shop.order_items_pkey   scale: 0.01
-- parameter order_id: select o.order_id from shop.orders o order by o.order_id limit 1
select i.line_number, i.product_id, i.quantity, i.unit_price, i.discount_amount, i.total_amount, i.status
from shop.order_items i
where i.order_id = %(order_id)s::uuid
order by i.line_number;
