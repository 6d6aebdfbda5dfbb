-- verify: the rules whose triggers were off, over all rows
do $$
declare
    wrong bigint;
begin
    select count(*)
    into wrong
    from shop.orders o
    left join (
        select i.order_id, sum(i.total_amount - i.tax_amount) as subtotal, sum(i.tax_amount) as tax_amount
        from shop.order_items i
        group by i.order_id
    ) lines on lines.order_id = o.order_id
    where o.subtotal is distinct from lines.subtotal
        or o.tax_amount is distinct from lines.tax_amount;
    if wrong > 0 then
        raise exception '% orders differ from the sum of their lines', wrong;
    end if;

    select count(*)
    into wrong
    from (
        select
            h.*,
            lag(h.to_status) over changes as previous_status,
            lag(h.to_payment_status) over changes as previous_payment_status,
            lag(h.changed_at) over changes as previous_changed_at,
            lag(h.change_number, 1, 0) over changes as previous_change_number
        from shop.order_status_history h
        window changes as (partition by h.order_id order by h.change_number)
    ) h
    left join shop.order_status_transitions t on t.from_status = h.from_status and t.to_status = h.to_status
    left join shop.payment_status_transitions p
        on p.from_status = h.from_payment_status
        and p.to_status = h.to_payment_status
    where h.change_number <> h.previous_change_number + 1
        or h.from_status is distinct from h.previous_status
        or h.from_payment_status is distinct from h.previous_payment_status
        or h.changed_at < h.previous_changed_at
        or (h.from_status <> h.to_status and t.to_status is null)
        or (h.from_payment_status <> h.to_payment_status and p.to_status is null)
        or (h.change_number = 1 and (h.to_status <> 'pending' or h.to_payment_status <> 'pending'));
    if wrong > 0 then
        raise exception '% changes of status are not legal', wrong;
    end if;

    select count(*)
    into wrong
    from shop.orders o
    left join (
        select distinct on (h.order_id) h.order_id, h.to_status, h.to_payment_status
        from shop.order_status_history h
        order by h.order_id, h.change_number desc
    ) h on h.order_id = o.order_id
    where o.status is distinct from h.to_status
        or o.payment_status is distinct from h.to_payment_status;
    if wrong > 0 then
        raise exception '% orders differ from the end of their history', wrong;
    end if;

    select count(*)
    into wrong
    from shop.inventory i
    left join (
        select
            m.product_id,
            m.warehouse_id,
            sum(m.quantity_delta) as quantity_available,
            sum(m.reserved_delta) as quantity_reserved
        from shop.stock_movements m
        group by m.product_id, m.warehouse_id
    ) m on m.product_id = i.product_id and m.warehouse_id = i.warehouse_id
    where i.quantity_available is distinct from m.quantity_available
        or i.quantity_reserved is distinct from m.quantity_reserved;
    if wrong > 0 then
        raise exception '% balances of inventory differ from their ledger', wrong;
    end if;
end
$$;
