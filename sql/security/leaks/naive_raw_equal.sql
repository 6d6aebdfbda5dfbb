-- naive_raw_equal: how many ciphertexts that gives
select pg_catalog.count(distinct ssn_raw), pg_catalog.count(ssn_raw)
from people;
