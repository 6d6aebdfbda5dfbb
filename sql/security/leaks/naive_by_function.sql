-- naive_by_function: the way that the design means, for who may
select decrypt_ssn(ssn_encrypted)
from people;
