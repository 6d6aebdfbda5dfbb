-- places: where the cities of the generated addresses are, and from where each user looks at the shop
create temporary table cities on commit drop as
select c.*
from (
    values
        ('Berlin', 13.4, 52.5), ('Hamburg', 10.0, 53.6), ('München', 11.6, 48.1), ('Köln', 7.0, 50.9),
        ('Leipzig', 12.4, 51.3), ('Paris', 2.4, 48.9), ('Lyon', 4.8, 45.8), ('Nantes', -1.6, 47.2),
        ('Lille', 3.1, 50.6), ('Besançon', 6.0, 47.2), ('London', -0.1, 51.5), ('Leeds', -1.5, 53.8),
        ('Bristol', -2.6, 51.5), ('Glasgow', -4.3, 55.9), ('Cardiff', -3.2, 51.5), ('東京', 139.7, 35.7),
        ('大阪', 135.5, 34.7), ('名古屋', 136.9, 35.2), ('札幌', 141.4, 43.1), ('福岡', 130.4, 33.6),
        ('Kuwait City', 48.0, 29.4), ('Hawalli', 48.0, 29.3), ('Salmiya', 48.1, 29.3), ('New York', -74.0, 40.7),
        ('Chicago', -87.6, 41.9), ('Austin', -97.7, 30.3), ('Seattle', -122.3, 47.6), ('Portland', -122.7, 45.5),
        ('Boston', -71.1, 42.4), ('Denver', -105.0, 39.7)
) c (city, longitude, latitude);

create temporary table visitors on commit drop as
select distinct on (a.user_id)
    a.user_id,
    a.country_code as country,
    c.longitude::float8 as longitude,
    c.latitude::float8 as latitude,
    case
        when pg_temp.chance(a.user_id, s.stream + 1) < 0.50 then 'web'
        when pg_temp.chance(a.user_id, s.stream + 1) < 0.78 then 'ios'
        else 'android'
    end as channel,
    case
        when pg_temp.chance(a.user_id, s.stream + 1) < 0.30 then 'desktop'
        when pg_temp.chance(a.user_id, s.stream + 2) < 0.85 then 'mobile'
        else 'tablet'
    end as device
from shop.addresses a
cross join settings s
left join cities c on c.city = a.city
order by a.user_id, a.created_at, a.address_id;

create unique index on visitors (user_id);

analyze cities, visitors;
