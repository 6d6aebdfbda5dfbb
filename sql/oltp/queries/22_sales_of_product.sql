-- sales_of_product: how much of a product was sold, and for how much
-- frequency per hour: 300   index: shop.order_items_product_id_currency_code_idx   scale: 0.01
-- parameter product_id: select p.product_id from shop.products p order by p.product_id desc limit 1
select i.currency_code, sum(i.quantity) as quantity, sum(i.total_amount - i.tax_amount) as revenue
from shop.order_items i
where i.product_id = %(product_id)s::uuid
    and i.status not in ('cancelled', 'returned')
group by i.currency_code
order by i.currency_code;
