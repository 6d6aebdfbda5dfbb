-- inventory: the stock as the ledger has it
-- form: rows
select
    1 as "schemaVersion",
    uuid_send(i.product_id) as "productId:uuid",
    p.sku as "sku",
    w.warehouse_code as "warehouse",
    i.quantity_available as "available",
    i.quantity_reserved as "reserved",
    i.version as "sourceVersion",
    i.updated_at as "updatedAt"
from shop.inventory i
join shop.products p on p.product_id = i.product_id
join shop.warehouses w on w.warehouse_id = i.warehouse_id
order by p.sku, w.warehouse_code;
