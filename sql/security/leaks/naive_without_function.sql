-- naive_without_function: the same without the function, which only calls what everybody may
select pgp_sym_decrypt(ssn_encrypted, pg_catalog.current_setting('app.encryption_key'))
from people;
