-- stored: how many passwords are stored, and how many of them not as SCRAM verifiers
-- needs: PostgreSQL 13
select
    pg_catalog.count(*) as passwords,
    pg_catalog.count(*) filter (where a.rolpassword !~ '^SCRAM-SHA-256\$') as others
from pg_catalog.pg_authid a
where a.rolpassword is not null;
