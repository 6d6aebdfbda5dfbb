-- large_objects: nobody makes or reads large objects but a superuser, who alone can say so
-- needs: PostgreSQL 13   placeholders: action, direction
{action} execute on function
    pg_catalog.lo_creat(integer),
    pg_catalog.lo_create(oid),
    pg_catalog.lo_from_bytea(oid, bytea),
    pg_catalog.lo_open(oid, integer),
    pg_catalog.lo_put(oid, bigint, bytea),
    pg_catalog.lo_get(oid),
    pg_catalog.lo_get(oid, bigint, integer),
    pg_catalog.lo_unlink(oid)
{direction} public;
