-- row_counts: the exact number of rows of each table of the shop
select t.table_name, t.rows
from (
    select 'addresses' as table_name, count(*) as rows from shop.addresses
    union all
    select 'categories', count(*) from shop.categories
    union all
    select 'countries', count(*) from shop.countries
    union all
    select 'currencies', count(*) from shop.currencies
    union all
    select 'inventory', count(*) from shop.inventory
    union all
    select 'order_addresses', count(*) from shop.order_addresses
    union all
    select 'order_items', count(*) from shop.order_items
    union all
    select 'order_status_history', count(*) from shop.order_status_history
    union all
    select 'order_status_transitions', count(*) from shop.order_status_transitions
    union all
    select 'orders', count(*) from shop.orders
    union all
    select 'payment_status_transitions', count(*) from shop.payment_status_transitions
    union all
    select 'product_categories', count(*) from shop.product_categories
    union all
    select 'products', count(*) from shop.products
    union all
    select 'stock_movements', count(*) from shop.stock_movements
    union all
    select 'user_profiles', count(*) from shop.user_profiles
    union all
    select 'users', count(*) from shop.users
    union all
    select 'warehouses', count(*) from shop.warehouses
) t
order by t.table_name;
