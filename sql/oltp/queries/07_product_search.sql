-- product_search: products with a part of the name, typed into the search box
-- frequency per hour: 12000   index: shop.products_product_name_idx   scale: 0.01
-- parameter part: select right(p.product_name, 9) from shop.products p order by p.product_id limit 1
select p.product_id, p.product_name, p.base_price, p.currency_code
from shop.products p
where p.product_name ilike '%%' || %(part)s || '%%'
    and p.is_active
order by p.product_name, p.product_id
limit 24;
