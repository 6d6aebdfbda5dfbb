-- addresses: one for both purposes, or one for each, and now and then a further one
create temporary table new_addresses on commit drop as
select
    u.number,
    kinds.kind,
    pg_temp.uuid_at(u.created_at, u.number, s.seed + 1000 + kinds.kind) as address_id,
    kinds.address_type,
    kinds.is_default
from new_users u
cross join settings s
cross join lateral (
    values
        (1, case when u.has_two_addresses then 'billing' else 'both' end, true, true),
        (2, 'shipping', true, u.has_two_addresses),
        (3, 'shipping', false, pg_temp.unit(u.number, s.seed + 120) < 0.15)
) kinds (kind, address_type, is_default, exists_for_user)
where kinds.exists_for_user
order by u.number, kinds.kind;

analyze new_addresses;

insert into shop.addresses (
    address_id, user_id, address_type, street_address_1, street_address_2, city, state_province, postal_code,
    country_code, is_default, created_at, updated_at
)
select
    a.address_id,
    u.user_id,
    a.address_type,
    (1 + floor(240 * pg_temp.unit(u.number, s.seed + 130 + a.kind)))::integer || ' '
        || (array['Station Road', 'High Street', 'Lindenallee', 'Rue de la Paix', 'Main Street', 'Sakura-dori'])
            [1 + floor(6 * pg_temp.unit(u.number, s.seed + 140 + a.kind))::integer],
    case when pg_temp.unit(u.number, s.seed + 150 + a.kind) < 0.2 then 'Apartment ' || (1 + u.number % 40) end,
    u.cities[picked.city],
    u.states[picked.city],
    lpad((10000 + floor(89999 * pg_temp.unit(u.number, s.seed + 170 + a.kind)))::integer::text, 5, '0'),
    u.country_code,
    a.is_default,
    u.created_at,
    u.created_at
from new_addresses a
join new_users u on u.number = a.number
cross join settings s
cross join lateral (
    select 1 + floor(cardinality(u.cities) * pg_temp.unit(u.number, s.seed + 160 + a.kind))::integer as city
) picked
order by a.number, a.kind;
