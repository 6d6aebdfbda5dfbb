-- order_items: 1 to 12 lines an order; the chance of a product falls with its rank (Zipf's law with exponent 1)
create temporary table new_order_draws on commit drop as
with wanted as (
    select
        o.number,
        o.user_number,
        1 + least(11, floor(ln(1 - pg_temp.unit(o.number, s.seed + 500)) / ln(0.62)))::integer as lines,
        s.seed
    from new_orders o
    cross join settings s
)
select
    w.number,
    u.tax_rate,
    w.number::bigint * 16 + l.line as draw,
    pool.first_number
        + least(
            pool.size,
            floor(power(pool.size + 1, pg_temp.unit(w.number::bigint * 16 + l.line, w.seed + 501)))::integer
        ) - 1 as product_number,
    w.seed
from wanted w
join new_users u on u.number = w.user_number
join product_pools pool on pool.currency_code = u.currency_code
cross join lateral generate_series(1, w.lines) l (line);

analyze new_order_draws;

create temporary table new_order_items on commit drop as
with chosen as (
    -- A product that was drawn twice for an order makes one line.
    select distinct on (d.number, d.product_number) d.*
    from new_order_draws d
    order by d.number, d.product_number, d.draw
),
priced as (
    select
        c.number,
        row_number() over (partition by c.number order by c.draw)::integer as line_number,
        c.product_number,
        p.product_id,
        p.currency_code,
        p.is_digital,
        p.digits,
        c.tax_rate,
        1 + least(9, floor(-0.7 * ln(1 - pg_temp.unit(c.draw, c.seed + 502))))::integer as quantity,
        p.base_price as unit_price,
        case
            when pg_temp.unit(c.draw, c.seed + 503) < 0.2
                then 0.05 * (1 + floor(6 * pg_temp.unit(c.draw, c.seed + 504)))::numeric
            else 0
        end as discount_rate
    from chosen c
    join new_products p on p.number = c.product_number
),
discounted as (
    select p.*, round(p.quantity * p.unit_price * p.discount_rate, p.digits) as discount_amount
    from priced p
)
select
    d.number,
    d.line_number,
    d.product_number,
    d.product_id,
    d.currency_code,
    d.is_digital,
    d.quantity,
    d.unit_price,
    d.discount_amount,
    round((d.quantity * d.unit_price - d.discount_amount) * d.tax_rate, d.digits) as tax_amount
from discounted d
order by d.number, d.line_number;

analyze new_order_items;
