-- orders_of_user: a user's latest orders
-- frequency per hour: 9000   index: shop.orders_user_id_created_at_idx   scale: 0.01
-- parameter user_id: select u.user_id from shop.users u order by u.user_id limit 1
select o.order_id, o.order_number, o.status, o.payment_status, o.total_amount, o.currency_code, o.created_at
from shop.orders o
where o.user_id = %(user_id)s::uuid
order by o.created_at desc
limit 20;
