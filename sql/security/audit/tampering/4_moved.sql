-- moved: an entry is said to be older than it is
update {audit}.log set recorded_at = recorded_at - interval '400 days' where entry_id = %(entry_id)s;
