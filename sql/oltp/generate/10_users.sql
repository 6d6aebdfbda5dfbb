-- users: accounts opened evenly over three years, in six countries
create temporary table new_users on commit drop as
select
    n.number,
    pg_temp.uuid_at(n.created_at, n.number, s.seed) as user_id,
    n.created_at,
    m.country_code,
    m.currency_code,
    m.tax_rate,
    m.shipping_fee,
    m.digits,
    m.cities::text[] as cities,
    m.states::text[] as states,
    m.dialling_code,
    pg_temp.unit(n.number, s.seed + 101) < 0.3 as has_two_addresses
from settings s
cross join lateral (
    select
        g.number,
        date_trunc(
            'milliseconds',
            s.users_start + (s.orders_end - interval '10 days' - s.users_start) * (g.number::float8 / s.users)
        ) as created_at
    from generate_series(1, s.users) g (number)
) n
join markets m
    on pg_temp.unit(n.number, s.seed + 100) >= m.share_from
    and pg_temp.unit(n.number, s.seed + 100) < m.share_to
order by n.number;

analyze new_users;

insert into shop.users (user_id, email, username, is_active, last_login_at, created_at, updated_at)
select
    u.user_id,
    'user' || u.number || '@example.' || lower(u.country_code),
    'user' || u.number,
    pg_temp.unit(u.number, s.seed + 102) < 0.96,
    u.created_at + (s.orders_end - u.created_at) * pg_temp.unit(u.number, s.seed + 103),
    u.created_at,
    u.created_at
from new_users u
cross join settings s
order by u.number;

insert into shop.user_profiles (user_id, first_name, last_name, phone, date_of_birth, bio, created_at, updated_at)
select
    u.user_id,
    (array['Ada', 'Björn', 'Chloé', 'Dmitri', 'Emeka', 'Fatima', 'Grace', 'Hana', 'Íñigo', 'Jürgen', '花子', 'Léa'])
        [1 + floor(12 * pg_temp.unit(u.number, s.seed + 110))::integer],
    (array['Smith', 'Müller', 'O''Brien', 'García', 'Nguyễn', 'Okafor', '佐藤', 'Dubois', 'Al-Sabah', 'Novák'])
        [1 + floor(10 * pg_temp.unit(u.number, s.seed + 111))::integer],
    u.dialling_code || (20000000 + floor(70000000 * pg_temp.unit(u.number, s.seed + 112)))::bigint,
    date '1940-01-01' + floor(24000 * pg_temp.unit(u.number, s.seed + 113))::integer,
    case
        when pg_temp.unit(u.number, s.seed + 114) < 0.1
            then 'Customer since ' || extract(year from u.created_at at time zone 'UTC')
    end,
    u.created_at,
    u.created_at
from new_users u
cross join settings s
where pg_temp.unit(u.number, s.seed + 115) < 0.8
order by u.number;
