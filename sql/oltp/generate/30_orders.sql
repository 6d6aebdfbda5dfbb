-- orders: few users order much, most order little; each goes one of eight ways from placed to where it is now
create temporary table order_paths (
    path text not null,
    step integer not null,
    from_status text,
    to_status text not null,
    from_payment_status text,
    to_payment_status text not null,
    delay interval not null,
    primary key (path, step)
) on commit drop;

insert into order_paths (path, step, from_status, to_status, from_payment_status, to_payment_status, delay)
values
    ('placed', 1, null, 'pending', null, 'pending', interval '0'),
    ('failed', 1, null, 'pending', null, 'pending', interval '0'),
    ('failed', 2, 'pending', 'pending', 'pending', 'failed', interval '10 minutes'),
    ('processing', 1, null, 'pending', null, 'pending', interval '0'),
    ('processing', 2, 'pending', 'processing', 'pending', 'paid', interval '20 minutes'),
    ('shipped', 1, null, 'pending', null, 'pending', interval '0'),
    ('shipped', 2, 'pending', 'processing', 'pending', 'paid', interval '20 minutes'),
    ('shipped', 3, 'processing', 'shipped', 'paid', 'paid', interval '1 day'),
    ('delivered', 1, null, 'pending', null, 'pending', interval '0'),
    ('delivered', 2, 'pending', 'processing', 'pending', 'paid', interval '20 minutes'),
    ('delivered', 3, 'processing', 'shipped', 'paid', 'paid', interval '1 day'),
    ('delivered', 4, 'shipped', 'delivered', 'paid', 'paid', interval '4 days'),
    ('returned', 1, null, 'pending', null, 'pending', interval '0'),
    ('returned', 2, 'pending', 'processing', 'pending', 'paid', interval '20 minutes'),
    ('returned', 3, 'processing', 'shipped', 'paid', 'paid', interval '1 day'),
    ('returned', 4, 'shipped', 'delivered', 'paid', 'paid', interval '4 days'),
    ('returned', 5, 'delivered', 'returned', 'paid', 'paid', interval '14 days'),
    ('returned', 6, 'returned', 'returned', 'paid', 'refunded', interval '18 days'),
    ('unpaid', 1, null, 'pending', null, 'pending', interval '0'),
    ('unpaid', 2, 'pending', 'cancelled', 'pending', 'failed', interval '3 days'),
    ('withdrawn', 1, null, 'pending', null, 'pending', interval '0'),
    ('withdrawn', 2, 'pending', 'processing', 'pending', 'paid', interval '20 minutes'),
    ('withdrawn', 3, 'processing', 'cancelled', 'paid', 'refunded', interval '6 hours');

analyze order_paths;

create temporary table new_orders on commit drop as
with placed as (
    select
        g.draw,
        u.number as user_number,
        date_trunc(
            'milliseconds',
            greatest(u.created_at, s.orders_start)
                + (s.orders_end - greatest(u.created_at, s.orders_start)) * pg_temp.unit(g.draw, s.seed + 401)
        ) as created_at
    from settings s
    cross join generate_series(1, s.orders) g (draw)
    join new_users u on u.number = 1 + floor(s.users * power(pg_temp.unit(g.draw, s.seed + 400), 2))::integer
),
numbered as (
    select
        row_number() over (order by p.created_at, p.draw)::integer as number,
        p.user_number,
        p.created_at,
        s.orders_end - p.created_at as age,
        pg_temp.unit(p.draw, s.seed + 402) as fate,
        0.5 + 0.5 * pg_temp.unit(p.draw, s.seed + 403) as pace,
        s.seed
    from placed p
    cross join settings s
)
select
    n.number,
    pg_temp.uuid_at(n.created_at, n.number, n.seed + 5000) as order_id,
    n.user_number,
    n.created_at,
    n.pace,
    case
        when n.age < interval '3 hours' then case when n.fate < 0.1 then 'failed' else 'placed' end
        when n.age < interval '2 days' then case when n.fate < 0.02 then 'failed' else 'processing' end
        when n.age < interval '5 days' then 'shipped'
        when n.fate < 0.03 then 'unpaid'
        when n.fate < 0.055 then 'withdrawn'
        when n.age < interval '30 days' then 'delivered'
        when n.fate < 0.095 then 'returned'
        else 'delivered'
    end as path
from numbered n
order by n.number;

create unique index on new_orders (number);

analyze new_orders;
