-- currency digits: an amount has no more decimals than its currency
-- One trigger a statement, not a row: the rows of the statement are joined with the currencies once.
create function shop.check_product_currency_digits()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if exists (
        select
        from changed r
        join shop.currencies c on c.currency_code = r.currency_code
        where pg_catalog.min_scale(r.base_price) > c.minor_unit_digits
    ) then
        raise exception 'base_price has more decimals than its currency'
            using errcode = 'check_violation', schema = 'shop', table = 'products', constraint = tg_name;
    end if;
    return null;
end
$$;

comment on function shop.check_product_currency_digits() is
    'Refuses a price with more decimals than its currency has.';

create function shop.check_order_currency_digits()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if exists (
        select
        from changed r
        join shop.currencies c on c.currency_code = r.currency_code
        where greatest(
            pg_catalog.min_scale(r.subtotal),
            pg_catalog.min_scale(r.tax_amount),
            pg_catalog.min_scale(r.shipping_amount),
            pg_catalog.min_scale(r.discount_amount)
        ) > c.minor_unit_digits
    ) then
        raise exception 'an amount of the order has more decimals than its currency'
            using errcode = 'check_violation', schema = 'shop', table = 'orders', constraint = tg_name;
    end if;
    return null;
end
$$;

comment on function shop.check_order_currency_digits() is
    'Refuses amounts of an order with more decimals than its currency has.';

create function shop.check_order_item_currency_digits()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if exists (
        select
        from changed r
        join shop.currencies c on c.currency_code = r.currency_code
        where greatest(
            pg_catalog.min_scale(r.unit_price),
            pg_catalog.min_scale(r.discount_amount),
            pg_catalog.min_scale(r.tax_amount)
        ) > c.minor_unit_digits
    ) then
        raise exception 'an amount of the line has more decimals than its currency'
            using errcode = 'check_violation', schema = 'shop', table = 'order_items', constraint = tg_name;
    end if;
    return null;
end
$$;

comment on function shop.check_order_item_currency_digits() is
    'Refuses amounts of a line with more decimals than its currency has.';

create trigger products_currency_digits_insert
after insert on shop.products
referencing new table as changed
for each statement
execute function shop.check_product_currency_digits();

create trigger products_currency_digits_update
after update on shop.products
referencing new table as changed
for each statement
execute function shop.check_product_currency_digits();

create trigger orders_currency_digits_insert
after insert on shop.orders
referencing new table as changed
for each statement
execute function shop.check_order_currency_digits();

create trigger orders_currency_digits_update
after update on shop.orders
referencing new table as changed
for each statement
execute function shop.check_order_currency_digits();

create trigger order_items_currency_digits_insert
after insert on shop.order_items
referencing new table as changed
for each statement
execute function shop.check_order_item_currency_digits();

create trigger order_items_currency_digits_update
after update on shop.order_items
referencing new table as changed
for each statement
execute function shop.check_order_item_currency_digits();
