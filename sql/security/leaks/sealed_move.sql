-- sealed_move: the sealed value of row 2 put into row 1
update people
set ssn = (select s.ssn from people s where s.id = 2)
where id = 1;
