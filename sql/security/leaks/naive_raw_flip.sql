-- naive_raw_flip: a bit of it changed
select pg_catalog.encode(
    decrypt(pg_catalog.set_byte(ssn_raw, 3, pg_catalog.get_byte(ssn_raw, 3) # 1), 'a key of sixteen', 'aes'),
    'hex'
)
from people
where id = 3;
