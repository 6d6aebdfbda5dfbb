-- activities: what led to each order; the time of all orders is played in eighty days that end now
-- parameters: inner_key bytea, outer_key bytea (the two padded keys of HMAC-SHA-256, RFC 2104)
create temporary table visits on commit drop as
select
    o.order_id,
    date_trunc(
        'milliseconds',
        s.moment - s.played_in * (
            extract(epoch from s.last_order_at - o.created_at)::float8
            / greatest(extract(epoch from s.last_order_at - s.first_order_at)::float8, 1)
        )
    ) as ended_at,
    v.channel,
    v.device,
    v.country,
    v.longitude,
    v.latitude,
    case
        when pg_temp.chance(o.order_id, s.stream + 10) < 0.9
            then substr(sha256(%(outer_key)s || sha256(%(inner_key)s || uuid_send(o.user_id))), 1, 16)
    end as pseudonym,
    '4.' || (2 + floor(3 * pg_temp.chance(o.order_id, s.stream + 11)))::text as app_version,
    o.total_amount,
    o.currency_code
from shop.orders o
join visitors v on v.user_id = o.user_id
cross join settings s;

create temporary table steps on commit drop as
select v.order_id, 0 as step, 'page_view' as event_type, null::uuid as product_id, null::integer as quantity
from visits v
union all
select i.order_id, i.line_number * 10 + n.step, n.event_type, i.product_id, case n.step when 3 then i.quantity end
from shop.order_items i
cross join (values (1, 'product_view'), (2, 'product_view'), (3, 'add_to_cart')) n (step, event_type)
union all
select v.order_id, n.step, n.event_type, null, null
from visits v
cross join (values (1000, 'checkout'), (1001, 'purchase')) n (step, event_type);

create temporary table activities on commit drop as
select
    -- The last step is when the order was placed; those before it are 20 to 80 seconds apart.
    v.ended_at - n.steps_after * interval '50 seconds'
        - least(n.steps_after, 1) * interval '1 ms' * floor(30000 * pg_temp.chance(n.event_id, s.stream + 12))
        as happened_at,
    n.event_id,
    n.event_type,
    v.channel,
    v.device,
    v.country,
    v.pseudonym,
    v.app_version,
    n.product_id,
    n.quantity,
    case n.event_type
        when 'page_view' then '/'
        when 'checkout' then '/checkout'
        when 'product_view' then '/products/' || n.product_id::text
    end as page,
    case
        when n.event_type in ('page_view', 'product_view')
            then 80 + floor(1500 * power(pg_temp.chance(n.event_id, s.stream + 13), 3))::integer
    end as load_ms,
    case n.event_type when 'purchase' then v.total_amount::numeric end as amount,
    case n.event_type when 'purchase' then v.currency_code::text end as currency,
    round((v.longitude + pg_temp.chance(n.event_id, s.stream + 14) * 0.4 - 0.2)::numeric, 1)::float8 as longitude,
    round((v.latitude + pg_temp.chance(n.event_id, s.stream + 15) * 0.4 - 0.2)::numeric, 1)::float8 as latitude
from (
    select
        t.*,
        pg_temp.derived_uuid(t.order_id::text || ':' || t.step::text) as event_id,
        row_number() over (partition by t.order_id order by t.step desc) - 1 as steps_after
    from steps t
) n
join visits v on v.order_id = n.order_id
cross join settings s;

analyze activities;

-- The last two hours are in the inbox: a third of them waits, a third is being moved, a third was moved just now.
create temporary table inbox on commit drop as
select
    recent.event_id,
    (array['new', 'moving', 'moved'])[ntile(3) over (order by recent.happened_at desc, recent.event_id)] as state
from activities recent
cross join settings s
where recent.happened_at > s.moment - interval '2 hours';

analyze inbox;
