-- order_by_number: an order by the number on the letter
-- frequency per hour: 2500   index: shop.orders_order_number_key   scale: 0.01
-- parameter order_number: select o.order_number from shop.orders o order by o.order_id limit 1
select o.order_id, o.user_id, o.status, o.payment_status, o.total_amount, o.currency_code
from shop.orders o
where o.order_number = %(order_number)s;
