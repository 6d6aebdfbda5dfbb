-- A workload for the e-commerce example that its indexes were not made for: joins of five tables, lists, reports.
set search_path = shop;

-- name: orders_to_a_city
-- weight: 200
select o.order_number, o.status, o.total_amount, a.street_address_1
from orders o
join order_addresses a on a.order_id = o.order_id
where a.address_role = 'shipping' and a.city = 'Denver' and a.postal_code like '30%'
order by o.created_at desc
limit 50;

-- name: who_bought_a_product
-- weight: 100
select u.email, p.last_name, o.created_at, i.quantity, r.product_name
from products r
join order_items i on i.product_id = r.product_id
join orders o on o.order_id = i.order_id
join users u on u.user_id = o.user_id
join user_profiles p on p.user_id = u.user_id
where r.sku = 'SKU-USD-0000050'
order by o.created_at desc;

-- name: sales_of_a_category
-- weight: 20
select r.product_id, r.product_name, sum(i.quantity), sum(i.total_amount)
from categories c
join product_categories pc on pc.category_id = c.category_id
join products r on r.product_id = pc.product_id
join order_items i on i.product_id = r.product_id
join orders o on o.order_id = i.order_id
where c.category_name = 'Premium'
    and o.created_at >= timestamptz '2025-12-01'
    and o.payment_status = 'paid'
group by r.product_id, r.product_name
order by 4 desc
limit 20;

-- name: large_orders
-- weight: 60
select order_number, user_id, total_amount
from orders
where currency_code = 'EUR' and total_amount > 900
order by total_amount desc
limit 25;

-- name: refunds_of_a_month
-- weight: 30
select o.order_number, o.total_amount, h.changed_at, u.username
from order_status_history h
join orders o on o.order_id = h.order_id
join users u on u.user_id = o.user_id
where h.to_payment_status = 'refunded'
    and h.changed_at >= timestamptz '2025-06-01'
    and h.changed_at < timestamptz '2025-07-01'
order by h.changed_at;

-- name: customers_by_name
-- weight: 300
select u.user_id, u.email, p.first_name, p.last_name
from user_profiles p
join users u on u.user_id = p.user_id
where p.last_name = 'Okafor' and p.date_of_birth between date '1980-01-01' and date '1980-12-31'
order by p.first_name;

-- name: by_phone
-- weight: 500
select user_id, first_name, last_name
from user_profiles
where phone = '+3350484773';

-- name: returns_by_country
-- weight: 5
select a.country_code, count(*), sum(o.total_amount)
from orders o
join order_addresses a on a.order_id = o.order_id and a.address_role = 'billing'
where o.status = 'returned' and o.created_at >= timestamptz '2025-01-01'
group by a.country_code;

-- name: movements_of_a_day
-- weight: 40
select m.movement_type, m.quantity_delta, r.sku, w.warehouse_code
from stock_movements m
join products r on r.product_id = m.product_id
join warehouses w on w.warehouse_id = m.warehouse_id
where m.moved_at >= timestamptz '2025-03-10' and m.moved_at < timestamptz '2025-03-11'
order by m.moved_at;

-- name: returned_goods
-- weight: 20
select product_id, sum(quantity_delta)
from stock_movements
where movement_type = 'return' and moved_at >= timestamptz '2025-10-01'
group by product_id
order by 2 desc
limit 30;

-- name: sleeping_customers
-- weight: 10
select u.email, u.last_login_at
from users u
where u.last_login_at < timestamptz '2023-03-01'
    and not exists (
        select 1
        from orders o
        where o.user_id = u.user_id and o.created_at >= timestamptz '2025-01-01'
    );

-- name: open_lines
-- weight: 100
select i.order_id, i.line_number, r.product_name
from order_items i
join products r on r.product_id = i.product_id
where i.status in ('pending', 'processing')
order by i.created_at
limit 100;

-- name: where_it_goes
-- weight: 10
select w.warehouse_code, a.country_code, count(*)
from stock_movements m
join orders o on o.order_id = m.order_id
join order_addresses a on a.order_id = o.order_id and a.address_role = 'shipping'
join warehouses w on w.warehouse_id = m.warehouse_id
join products r on r.product_id = m.product_id
where m.movement_type = 'shipment'
    and m.moved_at >= timestamptz '2025-05-01'
    and m.moved_at < timestamptz '2025-05-08'
    and r.is_digital is false
group by w.warehouse_code, a.country_code;

-- name: cheap_and_light
-- weight: 150
select product_id, product_name, base_price
from products
where is_active and weight_grams between 100 and 110
order by base_price
limit 20;

-- name: a_login
-- weight: 400
update users
set last_login_at = timestamptz '2026-01-01'
where username = 'user51';

-- name: a_line_ships
-- weight: 50
update order_items
set status = 'shipped'
where status = 'processing' and created_at < timestamptz '2024-01-03';

-- name: a_receipt
-- weight: 100
insert into stock_movements (product_id, warehouse_id, movement_type, quantity_delta, moved_at)
select product_id, warehouse_id, 'receipt', 10, timestamptz '2026-01-01'
from inventory
where quantity_available = 0
limit 1;
