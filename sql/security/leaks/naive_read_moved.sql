-- naive_read_moved: what row 1 shows then
select decrypt_ssn(ssn_encrypted)
from people
where id = 1;
