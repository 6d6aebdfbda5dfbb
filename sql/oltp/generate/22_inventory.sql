-- warehouses and inventory: empty shelves; the ledger fills them
create temporary table new_warehouses on commit drop as
select
    w.*,
    pg_temp.uuid_at(s.products_start + interval '1 second' * w.number, w.number, s.seed + 4000) as warehouse_id,
    s.products_start as created_at,
    row_number() over (partition by w.currency_code order by w.number)::integer as number_in_market,
    count(*) over (partition by w.currency_code)::integer as warehouses_in_market
from (
    values
        (1, 'US-EAST-01', 'Newark', 'US', 'USD'),
        (2, 'US-WEST-01', 'Reno', 'US', 'USD'),
        (3, 'US-SOUTH-01', 'Dallas', 'US', 'USD'),
        (4, 'DE-01', 'Leipzig', 'DE', 'EUR'),
        (5, 'FR-01', 'Lille', 'FR', 'EUR'),
        (6, 'GB-01', 'Daventry', 'GB', 'GBP'),
        (7, 'JP-01', 'Chiba', 'JP', 'JPY'),
        (8, 'KW-01', 'Shuaiba', 'KW', 'KWD')
) w (number, warehouse_code, warehouse_name, country_code, currency_code)
cross join settings s;

analyze new_warehouses;

insert into shop.warehouses (warehouse_id, warehouse_code, warehouse_name, country_code, created_at, updated_at)
select w.warehouse_id, w.warehouse_code, w.warehouse_name, w.country_code, w.created_at, w.created_at
from new_warehouses w
order by w.number;

insert into shop.inventory (product_id, warehouse_id, reorder_point, reorder_quantity, created_at, updated_at)
select
    p.product_id,
    w.warehouse_id,
    5 + floor(10 * pg_temp.unit(p.number, s.seed + 300 + w.number))::integer,
    50 + 10 * floor(20 * pg_temp.unit(p.number, s.seed + 310 + w.number))::integer,
    p.created_at,
    p.created_at
from new_products p
join new_warehouses w on w.currency_code = p.currency_code
cross join settings s
where not p.is_digital
order by p.number, w.number;
