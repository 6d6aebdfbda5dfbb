-- product_by_sku: a product by its stock keeping unit
-- frequency per hour: 15000   index: shop.products_sku_key   scale: 0.01
-- parameter sku: select p.sku from shop.products p order by p.product_id limit 1
select p.product_id, p.product_name, p.base_price, p.currency_code, p.is_active
from shop.products p
where p.sku = %(sku)s;
