-- rewritten: an entry is taken away, and every seal computed again, so that the database agrees with itself
delete from {audit}.log where entry_id = %(entry_id)s;
delete from {audit}.seal_months;
delete from {audit}.seals;
select {audit}.seal();
