-- naive_flip: a bit of pgp_sym_encrypt's ciphertext changed
select decrypt_ssn(pg_catalog.set_byte(ssn_encrypted, 60, pg_catalog.get_byte(ssn_encrypted, 60) # 1))
from people
where id = 3;
