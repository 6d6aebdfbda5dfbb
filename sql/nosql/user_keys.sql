-- user_keys: the keys of the users in their order
select u.user_id::text as key
from shop.users u
order by u.user_id;
