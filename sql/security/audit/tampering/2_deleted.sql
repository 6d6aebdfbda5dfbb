-- deleted: an entry is taken away
delete from {audit}.log where entry_id = %(entry_id)s;
