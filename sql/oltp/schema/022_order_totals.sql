-- order totals: at the end of a transaction an order's subtotal and tax are those of its lines
create function shop.check_order_totals()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
    changed_order_id uuid := case when tg_op = 'DELETE' then old.order_id else new.order_id end;
    wrong_order record;
begin
    -- The order is locked first: of two transactions that change lines of one order, the second sees the first's.
    perform
    from shop.orders o
    where o.order_id = changed_order_id
    for no key update;
    select
        o.order_number,
        o.subtotal,
        o.tax_amount,
        lines.subtotal as lines_subtotal,
        lines.tax_amount as lines_tax_amount
    into wrong_order
    from shop.orders o
    cross join lateral (
        select
            coalesce(sum(i.total_amount - i.tax_amount), 0) as subtotal,
            coalesce(sum(i.tax_amount), 0) as tax_amount
        from shop.order_items i
        where i.order_id = o.order_id
    ) lines
    where o.order_id = changed_order_id
        and (o.subtotal <> lines.subtotal or o.tax_amount <> lines.tax_amount);
    if found then
        raise exception 'order % says subtotal % and tax %, its lines make % and %',
            wrong_order.order_number, wrong_order.subtotal, wrong_order.tax_amount,
            wrong_order.lines_subtotal, wrong_order.lines_tax_amount
            using errcode = 'check_violation', schema = 'shop', table = 'orders', constraint = tg_name;
    end if;
    return null;
end
$$;

comment on function shop.check_order_totals() is
    'Compares the subtotal and the tax of an order with its lines.';

create constraint trigger orders_totals
after insert or update of subtotal, tax_amount on shop.orders
deferrable initially deferred
for each row
execute function shop.check_order_totals();

create constraint trigger order_items_totals
after insert or delete or update of order_id, quantity, unit_price, discount_amount, tax_amount on shop.order_items
deferrable initially deferred
for each row
execute function shop.check_order_totals();
