-- databases: how old the oldest row of each database may be, in transactions and in multixacts
-- needs: PostgreSQL 13
select
  d.datname as name,
  pg_catalog.age(d.datfrozenxid) as xid_age,
  pg_catalog.mxid_age(d.datminmxid) as multixact_age,
  d.datname = pg_catalog.current_database() as is_current
from pg_catalog.pg_database d
order by d.datname;
