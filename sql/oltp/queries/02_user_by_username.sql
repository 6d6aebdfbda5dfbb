-- user_by_username: the account behind a user name, whatever its case
-- frequency per hour: 3000   index: shop.users_username_key   scale: 0.01
-- parameter username: select upper(u.username) from shop.users u order by u.user_id limit 1
select u.user_id, u.email, u.is_active
from shop.users u
where lower(u.username) = lower(%(username)s);
