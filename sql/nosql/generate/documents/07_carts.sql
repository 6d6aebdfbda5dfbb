-- carts: of users and guests who have the lines of a former order in the cart again
-- form: documents
with latest as (
    select distinct on (o.user_id)
        o.order_id,
        o.user_id,
        o.currency_code::text as currency,
        o.shipping_amount::numeric as shipping,
        round(o.tax_amount / nullif(o.subtotal, 0), 2) as tax_rate,
        pg_temp.chance(o.user_id, s.stream + 60) as fate,
        s.moment - interval '1 ms' * floor(5 * 86400000 * pg_temp.chance(o.user_id, s.stream + 61)) as changed_at
    from shop.orders o
    cross join settings s
    order by o.user_id, o.created_at desc, o.order_id
),
-- A product that stands in two lines of the order makes one line of the cart.
lines as (
    select
        l.order_id,
        p.product_id,
        p.sku,
        p.product_name,
        p.base_price::numeric as unit_price,
        least(sum(i.quantity), 99) as quantity,
        min(i.line_number) as position
    from latest l
    join shop.order_items i on i.order_id = l.order_id
    join shop.products p on p.product_id = i.product_id
    where l.fate < 0.45
        and p.is_active
    group by l.order_id, p.product_id, p.sku, p.product_name, p.base_price
),
sums as (
    select
        l.order_id,
        sum(l.quantity) as item_count,
        sum(l.quantity * l.unit_price) as subtotal,
        jsonb_agg(
            jsonb_build_object(
                'productId', pg_temp.extended_uuid(l.product_id),
                'sku', l.sku,
                'name', l.product_name,
                'quantity', l.quantity,
                'unitPrice', pg_temp.extended_decimal(l.unit_price),
                'totalPrice', pg_temp.extended_decimal(l.quantity * l.unit_price),
                'addedAt', pg_temp.extended_date(c.changed_at - interval '1 minute' * l.position)
            )
            order by l.position
        ) as items
    from lines l
    join latest c on c.order_id = l.order_id
    group by l.order_id
),
totals as (
    select
        l.*,
        t.item_count,
        t.items,
        t.subtotal,
        round(t.subtotal * coalesce(l.tax_rate, 0), u.minor_unit_digits::integer) as tax
    from latest l
    join sums t on t.order_id = l.order_id
    join shop.currencies u on u.currency_code = l.currency
)
select
    jsonb_build_object(
        '_id', pg_temp.extended_uuid(pg_temp.derived_uuid(t.user_id::text || ':cart')),
        'schemaVersion', 1,
        'owner', case
            when t.fate < 0.3 then jsonb_build_object('userId', pg_temp.extended_uuid(t.user_id))
            else jsonb_build_object(
                'guestTokenHash',
                jsonb_build_object(
                    '$binary',
                    jsonb_build_object(
                        'base64', encode(sha256(uuid_send(pg_temp.derived_uuid(t.user_id::text || ':guest'))), 'base64'),
                        'subType', '00'
                    )
                )
            )
        end,
        'status', case when t.fate < 0.04 then 'ordered' else 'open' end,
        'version', jsonb_build_object('$numberLong', jsonb_array_length(t.items)::text),
        'currency', t.currency,
        'items', t.items,
        'summary', jsonb_build_object(
            'itemCount', t.item_count,
            'subtotal', pg_temp.extended_decimal(t.subtotal),
            'tax', pg_temp.extended_decimal(t.tax),
            'shipping', pg_temp.extended_decimal(t.shipping),
            'total', pg_temp.extended_decimal(t.subtotal + t.tax + t.shipping)
        ),
        'createdAt', pg_temp.extended_date(t.changed_at - interval '1 hour'),
        'updatedAt', pg_temp.extended_date(t.changed_at),
        'expiresAt', pg_temp.extended_date(t.changed_at + interval '7 days')
    )::text as document
from totals t
order by t.user_id;
