-- key_find: data keys by id, or by purpose and identity where it is the active one; all of them without either
select
    k.key_id,
    k.purpose,
    k.identity,
    k.wrapped,
    k.provider,
    k.wrapping_key,
    k.active,
    k.sealed
from {schema}.data_key k
where (%(key_id)s::bytea is null or k.key_id = %(key_id)s)
  and (%(purpose)s::text is null or (k.purpose = %(purpose)s and k.identity = %(identity)s and k.active))
order by k.made_at, k.key_id;
