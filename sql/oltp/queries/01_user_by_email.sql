-- user_by_email: the account behind an e-mail address, at login
-- frequency per hour: 20000   index: shop.users_email_key   scale: 0.01
-- parameter email: select u.email from shop.users u order by u.user_id limit 1
select u.user_id, u.username, u.is_active
from shop.users u
where lower(u.email) = lower(%(email)s);
