-- inserted: an entry of something that nobody did
insert into {audit}.log overriding system value
select (jsonb_populate_record(l, '{{"entry_id": 0}}')).*
from {audit}.log l
where l.entry_id = %(entry_id)s;
