-- history_of_order: every status that an order had
-- frequency per hour: 3000   index: shop.order_status_history_pkey   scale: 0.01
-- parameter order_id: select o.order_id from shop.orders o order by o.order_id limit 1
select h.change_number, h.to_status, h.to_payment_status, h.changed_at, h.changed_by
from shop.order_status_history h
where h.order_id = %(order_id)s::uuid
order by h.change_number;
