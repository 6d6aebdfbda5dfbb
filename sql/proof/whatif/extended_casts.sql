-- extended_casts: what ANALYZE alone may write can be written from its bytes
-- needs: PostgreSQL 18, a superuser of a cluster of ours   parameters: none
create cast (bytea as pg_catalog.pg_ndistinct) without function;
create cast (bytea as pg_catalog.pg_dependencies) without function;
create cast (bytea as pg_catalog.pg_mcv_list) without function;
