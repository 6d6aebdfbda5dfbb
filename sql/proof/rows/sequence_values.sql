-- sequence_values: the sequences and how far they are, null where they were not used or may not be read
-- needs: PostgreSQL 13
select s.schemaname as schema, s.sequencename as name, s.last_value
from pg_catalog.pg_sequences s
where s.schemaname not in ('pg_catalog', 'information_schema')
order by s.schemaname, s.sequencename;
