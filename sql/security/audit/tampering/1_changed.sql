-- changed: an entry says that somebody else did it
update {audit}.log set actor = 'nobody' where entry_id = %(entry_id)s;
