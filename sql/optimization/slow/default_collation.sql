-- default_collation: whether the database sorts text byte by byte, so that a prefix is a range
-- needs: PostgreSQL 13
select d.datcollate in ('C', 'POSIX') as by_bytes
from pg_catalog.pg_database d
where d.datname = pg_catalog.current_database();
