-- fulfilment_queue: paid orders that wait to be packed, the oldest first
-- frequency per hour: 1200   index: shop.orders_open_idx   scale: 0.01
select o.order_id, o.order_number, o.created_at
from shop.orders o
where o.status = 'processing'
order by o.created_at
limit 100;
