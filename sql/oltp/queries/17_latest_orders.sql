-- latest_orders: the orders placed last; the key is ordered by time
-- frequency per hour: 600   index: shop.orders_pkey   scale: 0.01
select o.order_id, o.order_number, o.status, o.total_amount, o.currency_code, o.created_at
from shop.orders o
order by o.order_id desc
limit 50;
