-- default_shipping_address: where to ship to unless the user says otherwise, at checkout
-- frequency per hour: 8000   index: shop.addresses_default_shipping_key   scale: 0.01
-- parameter user_id: select u.user_id from shop.users u order by u.user_id limit 1
select a.address_id, a.street_address_1, a.street_address_2, a.city, a.state_province, a.postal_code
from shop.addresses a
where a.user_id = %(user_id)s::uuid
    and a.is_default
    and a.address_type in ('shipping', 'both');
