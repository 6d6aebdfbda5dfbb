-- former_prices: half-open intervals without gaps from when a product was listed to when its price of today began
create temporary table former_prices on commit drop as
select
    c.product_id,
    c.currency_code::text as currency,
    c.number,
    greatest(
        round(c.base_price * (0.8 + 0.5 * pg_temp.chance(pg_temp.derived_uuid(c.product_id::text || c.number::text), c.stream + 40))::numeric, c.digits),
        c.base_price / 2
    ) as amount,
    date_trunc('milliseconds', c.created_at) + (c.number - 1) * c.each_lasts as valid_from,
    date_trunc('milliseconds', c.created_at) + c.number * c.each_lasts as valid_to
from (
    select
        p.product_id,
        p.currency_code,
        p.base_price::numeric as base_price,
        p.created_at,
        u.minor_unit_digits::integer as digits,
        n.number,
        s.stream,
        date_trunc('hour', interval '700 days' / p.changes) as each_lasts
    from (
        select
            p.*,
            -- Two in a hundred change about every week, the others up to five times.
            case
                when pg_temp.chance(p.product_id, s.stream + 41) < 0.02 then 90
                else floor(6 * power(pg_temp.chance(p.product_id, s.stream + 42), 1.5))::integer
            end as changes
        from shop.products p
        cross join settings s
    ) p
    join shop.currencies u on u.currency_code = p.currency_code
    cross join settings s
    cross join lateral generate_series(1, p.changes) n (number)
) c;

analyze former_prices;
