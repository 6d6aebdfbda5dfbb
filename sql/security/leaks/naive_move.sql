-- naive_move: the ciphertext of row 2 put into row 1
update people
set ssn_encrypted = (select s.ssn_encrypted from people s where s.id = 2)
where id = 1;
