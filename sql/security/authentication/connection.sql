-- connection: the protocol of this connection, empty where it is not encrypted, and the client's certificate
-- needs: PostgreSQL 13
select coalesce(s.version, '') as protocol, coalesce(s.client_dn, '') as client
from pg_catalog.pg_stat_ssl s
where s.pid = pg_catalog.pg_backend_pid();
