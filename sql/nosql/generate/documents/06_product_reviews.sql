-- product_reviews: of about a third of what was delivered, one by a user of a product
-- form: rows
select
    uuid_send(pg_temp.derived_uuid(bought.user_id::text || ':review:' || bought.product_id::text)) as "_id:uuid",
    1 as "schemaVersion",
    uuid_send(bought.product_id) as "productId:uuid",
    uuid_send(bought.user_id) as "userId:uuid",
    bought.stars as "stars",
    case
        when bought.number %% 4 > 0
            then (array['Not what I had hoped for.', 'It broke soon.', 'It does what it should.', 'Well made.', 'I would buy it again.'])[bought.stars]
    end as "text",
    bought.written_at as "createdAt"
from (
    select distinct on (i.product_id, o.user_id)
        i.product_id,
        o.user_id,
        i.line_number as number,
        date_trunc('milliseconds', o.created_at + interval '6 days' + interval '30 days' * pg_temp.chance(o.order_id, s.stream + 51)) as written_at,
        case
            when pg_temp.chance(o.order_id, s.stream + 52) < 0.05 then 1
            when pg_temp.chance(o.order_id, s.stream + 52) < 0.11 then 2
            when pg_temp.chance(o.order_id, s.stream + 52) < 0.22 then 3
            when pg_temp.chance(o.order_id, s.stream + 52) < 0.52 then 4
            else 5
        end as stars
    from shop.order_items i
    join shop.orders o on o.order_id = i.order_id
    cross join settings s
    where i.status = 'delivered'
        and pg_temp.chance(o.order_id, s.stream + 50) < 0.35
    order by i.product_id, o.user_id, o.created_at, o.order_id, i.line_number
) bought
order by bought.product_id, bought.user_id;
