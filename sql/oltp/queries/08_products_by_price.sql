-- products_by_price: the cheapest products of a price range in one currency
-- frequency per hour: 6000   index: shop.products_currency_code_base_price_idx   scale: 0.01
-- parameter currency_code: select 'EUR'
-- parameter lowest: select percentile_disc(0.5) within group (order by p.base_price) from shop.products p
-- parameter highest: select percentile_disc(0.5) within group (order by p.base_price) * 1.3 from shop.products p
select p.product_id, p.product_name, p.base_price
from shop.products p
where p.currency_code = %(currency_code)s
    and p.base_price between %(lowest)s and %(highest)s
    and p.is_active
order by p.base_price, p.product_id
limit 24;
