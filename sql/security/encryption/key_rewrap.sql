-- key_rewrap: the same data keys, wrapped by another wrapping key; a key changed or destroyed meanwhile is left
update {schema}.data_key k
set wrapped = n.wrapped,
    provider = n.provider,
    wrapping_key = n.wrapping_key
from (values %s) as n (key_id, former, wrapped, provider, wrapping_key)
where k.key_id = n.key_id
  and k.wrapped = n.former
returning k.key_id;
