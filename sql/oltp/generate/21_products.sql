-- products: a pool for each currency, the first of each pool being those that sell best
create temporary table product_pools on commit drop as
select
    p.currency_code,
    floor(p.share_from * s.products)::integer as first_number,
    floor(p.share_to * s.products)::integer - floor(p.share_from * s.products)::integer as size,
    p.price_factor,
    c.minor_unit_digits::integer as digits
from (
    values
        ('USD', 0.00, 0.40, 1),
        ('EUR', 0.40, 0.65, 0.92),
        ('GBP', 0.65, 0.80, 0.79),
        ('JPY', 0.80, 0.92, 150),
        ('KWD', 0.92, 1.00, 0.307)
) p (currency_code, share_from, share_to, price_factor)
join shop.currencies c on c.currency_code = p.currency_code
cross join settings s;

analyze product_pools;

create temporary table new_products on commit drop as
select
    n.number,
    pg_temp.uuid_at(n.created_at, n.number, s.seed + 3000) as product_id,
    n.created_at,
    p.currency_code,
    n.number - p.first_number + 1 as rank_in_pool,
    p.digits,
    greatest(
        round((exp(1 + 3.8 * pg_temp.unit(n.number, s.seed + 200)) * p.price_factor)::numeric, p.digits),
        round(0.5 * p.price_factor, p.digits)
    ) as base_price,
    pg_temp.unit(n.number, s.seed + 201) < 0.1 as is_digital
from settings s
cross join lateral (
    select
        g.number,
        date_trunc('milliseconds', s.products_start + interval '360 days' * (g.number::float8 / s.products)) as created_at
    from generate_series(0, s.products - 1) g (number)
) n
join product_pools p
    on n.number >= p.first_number
    and n.number < p.first_number + p.size
order by n.number;

analyze new_products;

insert into shop.products (
    product_id, sku, product_name, description, base_price, currency_code, weight_grams, is_digital, is_active,
    created_at, updated_at
)
select
    p.product_id,
    'SKU-' || p.currency_code || '-' || lpad(p.number::text, 7, '0'),
    (array[
        'Copper', 'Oak', 'Linen', 'Nordic', 'Solar', 'Velvet', 'Granite', 'Folding', 'Wireless', 'Organic',
        'Vintage', 'Compact', 'Silent', 'Crimson', 'Alpine', 'Ceramic'
    ])[1 + floor(16 * pg_temp.unit(p.number, s.seed + 210))::integer]
        || ' '
        || (array[
            'Kettle', 'Lantern', 'Backpack', 'Notebook', 'Speaker', 'Chair', 'Blanket', 'Headphones', 'Bicycle Pump',
            'Teapot', 'Jacket', 'Puzzle', 'Keyboard', 'Hammock', 'Watering Can', 'Screwdriver', 'Guitar Strap',
            'Yoga Mat', 'Desk Lamp', 'Spice Rack'
        ])[1 + floor(20 * pg_temp.unit(p.number, s.seed + 211))::integer]
        || ' ' || to_hex(4096 + p.number),
    'Article ' || p.number || ' of the catalogue, made to last and easy to repair. Each part can be ordered '
        || 'for ten years, '
        || 'the screws are common ones, and the manual is printed in six languages. It is tested '
        || (10 + p.number % 90) || ' times before it leaves the works, and packed without plastic. '
        || 'Whoever does not like it '
        || 'sends it back within a month: we pay for the way there and back and look at what could be better.',
    p.base_price,
    p.currency_code,
    case when not p.is_digital then 20 + floor(8000 * power(pg_temp.unit(p.number, s.seed + 212), 3))::integer end,
    p.is_digital,
    pg_temp.unit(p.number, s.seed + 213) < 0.95,
    p.created_at,
    p.created_at
from new_products p
cross join settings s
order by p.number;

insert into shop.product_categories (product_id, category_id, is_primary, created_at, updated_at)
select chosen.product_id, c.category_id, chosen.is_primary, chosen.created_at, chosen.created_at
from (
    select
        p.product_id,
        p.created_at,
        p.number,
        1 + floor(576 * power(pg_temp.unit(p.number, s.seed + 220), 1.5))::integer as leaf,
        true as is_primary
    from new_products p
    cross join settings s
    union all
    -- A second category, 7 leaves further on, so that it is never the first again.
    select
        p.product_id,
        p.created_at,
        p.number,
        1 + (floor(576 * power(pg_temp.unit(p.number, s.seed + 220), 1.5))::integer + 7) % 576,
        false
    from new_products p
    cross join settings s
    where pg_temp.unit(p.number, s.seed + 221) < 0.3
) chosen
join new_categories c on c.level = 3 and c.number_in_level = chosen.leaf
order by chosen.number, chosen.is_primary desc;
