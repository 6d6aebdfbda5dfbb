-- surface: what a shop of some age has beside its tables, made by whoever deployed it and never looked at since
-- needs: PostgreSQL 13
-- a view and a materialized view of the owner's, a SECURITY DEFINER function without a search_path,
-- and a partitioned table of which each row belongs to a user
create schema shop_api;

create view shop_api.order_overview as
select o.order_id, o.order_number, o.user_id, o.status, o.notes, o.created_at
from shop.orders o;

create materialized view shop_api.spending as
select o.user_id, o.currency_code, pg_catalog.count(*) as orders, pg_catalog.sum(o.subtotal) as spent
from shop.orders o
group by o.user_id, o.currency_code;

create function shop_api.order_count(customer uuid)
returns bigint
language plpgsql
stable
security definer
as $$
begin
    return (select count(*) from shop.orders o where o.user_id = customer);
end
$$;

create table shop_api.visits (
    visit_id bigint generated always as identity,
    user_id uuid not null,
    visited_at timestamptz not null,
    page text not null,
    constraint visits_pkey primary key (visit_id, visited_at),
    constraint visits_user_id_fkey foreign key (user_id) references shop.users (user_id)
) partition by range (visited_at);

create table shop_api.visits_before_2025 partition of shop_api.visits
for values from (minvalue) to ('2025-01-01 00:00:00+00');

create table shop_api.visits_since_2025 partition of shop_api.visits
for values from ('2025-01-01 00:00:00+00') to (maxvalue);

create index visits_user_id_idx on shop_api.visits (user_id);

insert into shop_api.visits (user_id, visited_at, page)
select u.user_id, '2024-11-01 00:00:00+00'::timestamptz + n.days * interval '1 day', '/products'
from shop.users u
cross join pg_catalog.generate_series(0, 90, 45) as n (days)
order by u.user_id, n.days;
