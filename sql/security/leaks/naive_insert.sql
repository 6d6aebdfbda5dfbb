-- naive_insert: values encrypted by the database, from literals
insert into people (id, ssn_encrypted)
select n, encrypt_ssn(%(value)s || n)
from pg_catalog.generate_series(1, %(rows)s) as g (n);
