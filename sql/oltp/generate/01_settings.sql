-- settings: how much to generate, from which seed, over which time   parameters: scale float, seed integer
-- Nothing here asks for the clock or for random(): the same scale and seed give the same rows.
-- Days have 24 hours, wherever the session is.
set local timezone = 'UTC';

set local work_mem = '128MB';

set local maintenance_work_mem = '256MB';

create temporary table settings on commit drop as
select
    given.seed::bigint as seed,
    greatest(50, round(100000 * given.scale))::integer as users,
    greatest(200, round(10000 * sqrt(given.scale)))::integer as products,
    greatest(100, round(410000 * given.scale))::integer as orders,
    timestamptz '2022-01-01 00:00:00+00' as products_start,
    timestamptz '2023-01-01 00:00:00+00' as users_start,
    timestamptz '2024-01-01 00:00:00+00' as orders_start,
    timestamptz '2026-01-01 00:00:00+00' as orders_end
from (select %(scale)s::float8 as scale, %(seed)s::integer as seed) given;

create function pg_temp.unit(number bigint, stream bigint)
returns float8
language sql
immutable
return (pg_catalog.hashint8extended(number, stream) & 4503599627370495)::float8 / 4503599627370496.0;

comment on function pg_temp.unit(bigint, bigint) is
    'The same number at least 0 and below 1 for the same arguments, spread evenly; each stream is '
    'independent of the others.';

create function pg_temp.uuid_at(at timestamptz, number bigint, stream bigint)
returns uuid
language sql
immutable
return overlay(
    overlay(
        pg_catalog.lpad(pg_catalog.to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')
        || pg_catalog.substr(pg_catalog.md5(number::text || ':' || stream::text), 1, 20)
        placing '7' from 13
    )
    placing '8' from 17
)::uuid;

comment on function pg_temp.uuid_at(timestamptz, bigint, bigint) is
    'A UUID of version 7 for that time, with digits that follow from the other arguments.';

create temporary table markets on commit drop as
select
    m.*,
    sum(m.share) over (order by m.country_code) - m.share as share_from,
    sum(m.share) over (order by m.country_code) as share_to,
    c.minor_unit_digits::integer as digits
from (
    values
        ('DE', 'EUR', 0.14, 0.19, 0.92, 4.90, '{Berlin,Hamburg,München,Köln,Leipzig}', null, '+49'),
        ('FR', 'EUR', 0.08, 0.20, 0.92, 4.90, '{Paris,Lyon,Nantes,Lille,Besançon}', null, '+33'),
        ('GB', 'GBP', 0.12, 0.20, 0.79, 3.95, '{London,Leeds,Bristol,Glasgow,Cardiff}', null, '+44'),
        ('JP', 'JPY', 0.10, 0.10, 150, 800, '{東京,大阪,名古屋,札幌,福岡}', null, '+81'),
        ('KW', 'KWD', 0.04, 0.00, 0.307, 1.500, '{Kuwait City,Hawalli,Salmiya}', null, '+965'),
        (
            'US', 'USD', 0.52, 0.08, 1, 5.99, '{New York,Chicago,Austin,Seattle,Portland,Boston,Denver}',
            '{NY,IL,TX,WA,OR,MA,CO}', '+1'
        )
) m (country_code, currency_code, share, tax_rate, price_factor, shipping_fee, cities, states, dialling_code)
join shop.currencies c on c.currency_code = m.currency_code;

analyze settings, markets;
