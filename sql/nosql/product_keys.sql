-- product_keys: the keys of the products in their order
select p.product_id::text as key
from shop.products p
order by p.product_id;
