-- sealed_read: every sealed value
select id, ssn
from people
order by id;
