-- key_add: a new data key, which becomes the active one of its purpose and identity; where there is one already
-- it takes its place in a rotation, and is refused by the unique index otherwise
with retired as (
    update {schema}.data_key
    set active = false
    where purpose = %(purpose)s
      and identity = %(identity)s
      and active
      and %(rotating)s
    returning key_id
)
insert into {schema}.data_key (key_id, purpose, identity, wrapped, provider, wrapping_key, active)
select
    %(key_id)s,
    %(purpose)s,
    %(identity)s,
    %(wrapped)s,
    %(provider)s,
    %(wrapping_key)s,
    true
from (select pg_catalog.count(*) from retired) as after_retiring;
