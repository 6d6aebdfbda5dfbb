-- newest_users: the accounts opened last; the key is ordered by time
-- frequency per hour: 60   index: shop.users_pkey   scale: 0.01
select u.user_id, u.username, u.created_at
from shop.users u
order by u.user_id desc
limit 50;
