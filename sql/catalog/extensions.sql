-- extensions: the installed extensions and their versions
-- needs: PostgreSQL 13
select e.extname as name, e.extversion as version
from pg_catalog.pg_extension e
order by e.extname;
