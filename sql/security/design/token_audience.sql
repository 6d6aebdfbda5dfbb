-- token_audience: the token is for this role in this database
-- needs: PostgreSQL 13
(
    t.part[4] = pg_catalog.encode(pg_catalog.convert_to(session_user::text, 'UTF8'), 'hex')
    and t.part[5] = pg_catalog.encode(pg_catalog.convert_to(pg_catalog.current_database()::text, 'UTF8'), 'hex')
)
