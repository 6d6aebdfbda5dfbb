-- stock_of_product: pieces free to sell, by warehouse
-- frequency per hour: 25000   index: shop.inventory_pkey   scale: 0.01
-- parameter product_id: select i.product_id from shop.inventory i order by i.product_id limit 1
select i.warehouse_id, i.quantity_available - i.quantity_reserved as quantity_free, i.version
from shop.inventory i
where i.product_id = %(product_id)s::uuid
order by i.warehouse_id;
