-- addresses_by_postal_code: the users of a delivery area, before a change of carrier
-- frequency per hour: 2   index: shop.addresses_country_code_postal_code_idx   scale: 0.01
-- parameter country_code: select a.country_code from shop.addresses a order by a.address_id limit 1
-- parameter postal_code: select a.postal_code from shop.addresses a order by a.address_id limit 1
select a.user_id, a.street_address_1, a.city
from shop.addresses a
where a.country_code = %(country_code)s
    and a.postal_code = %(postal_code)s
order by a.user_id, a.address_id;
