-- revenue_of_period: what was ordered in one currency in a period, cancelled orders included
-- frequency per hour: 30   index: shop.orders_currency_code_created_at_idx   scale: 0.01
-- parameter currency_code: select min(o.currency_code) from shop.orders o
-- parameter first: select max(o.created_at) - interval '30 days' from shop.orders o
-- parameter last: select max(o.created_at) from shop.orders o
select sum(o.total_amount) as revenue, count(*) as orders
from shop.orders o
where o.currency_code = %(currency_code)s
    and o.created_at >= %(first)s
    and o.created_at < %(last)s;
