-- order_status_history: every step of the way that each order went
insert into shop.order_status_history (
    order_id, change_number, from_status, to_status, from_payment_status, to_payment_status, changed_at, changed_by
)
select
    o.order_id,
    p.step,
    p.from_status,
    p.to_status,
    p.from_payment_status,
    p.to_payment_status,
    o.created_at + p.delay * o.pace,
    'shop'
from new_orders o
join order_paths p on p.path = o.path
order by o.number, p.step;
