-- orders and their lines go in, the orders with the totals of the lines
create temporary table new_order_states on commit drop as
select
    o.number,
    last_step.to_status as status,
    last_step.to_payment_status as payment_status,
    o.created_at + last_step.delay * o.pace as updated_at
from new_orders o
join (
    select distinct on (p.path) p.path, p.to_status, p.to_payment_status, p.delay
    from order_paths p
    order by p.path, p.step desc
) last_step on last_step.path = o.path;

insert into shop.orders (
    order_id, user_id, order_number, status, payment_status, currency_code, subtotal, tax_amount, shipping_amount,
    discount_amount, shipping_address_id, billing_address_id, notes, created_at, updated_at
)
select
    o.order_id,
    u.user_id,
    'SO-' || lpad(o.number::text, 9, '0'),
    st.status,
    st.payment_status,
    u.currency_code,
    t.subtotal,
    t.tax_amount,
    case when t.is_shipped and t.subtotal < 10 * u.shipping_fee then round(u.shipping_fee, u.digits) else 0 end,
    case when pg_temp.unit(o.number, s.seed + 510) < 0.08 then round(t.subtotal * 0.1, u.digits) else 0 end,
    case when t.is_shipped then coalesce(shipping.address_id, billing.address_id) end,
    billing.address_id,
    case when pg_temp.unit(o.number, s.seed + 511) < 0.02 then 'Please leave it with the neighbours.' end,
    o.created_at,
    st.updated_at
from new_orders o
join new_order_states st on st.number = o.number
join new_users u on u.number = o.user_number
join (
    select
        i.number,
        sum(i.quantity * i.unit_price - i.discount_amount) as subtotal,
        sum(i.tax_amount) as tax_amount,
        not bool_and(i.is_digital) as is_shipped
    from new_order_items i
    group by i.number
) t on t.number = o.number
join new_addresses billing on billing.number = o.user_number and billing.kind = 1
left join new_addresses shipping on shipping.number = o.user_number and shipping.kind = 2
cross join settings s
order by o.number;

insert into shop.order_items (
    order_id, line_number, product_id, currency_code, quantity, unit_price, discount_amount, tax_amount, status,
    created_at, updated_at
)
select
    o.order_id,
    i.line_number,
    i.product_id,
    i.currency_code,
    i.quantity,
    i.unit_price,
    i.discount_amount,
    i.tax_amount,
    st.status,
    o.created_at,
    st.updated_at
from new_order_items i
join new_orders o on o.number = i.number
join new_order_states st on st.number = i.number
order by i.number, i.line_number;
