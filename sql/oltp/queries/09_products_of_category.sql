-- products_of_category: what is in a category
-- frequency per hour: 10000   index: shop.product_categories_category_id_product_id_idx   scale: 0.01
-- parameter category_id: select c.category_id from shop.product_categories c order by c.product_id, c.category_id limit 1
select p.product_id, p.product_name, p.base_price, p.currency_code
from shop.product_categories c
join shop.products p on p.product_id = c.product_id
where c.category_id = %(category_id)s::uuid
    and p.is_active
order by p.product_name, p.product_id
limit 24;
