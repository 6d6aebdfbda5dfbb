-- token_signed: the mac of the token is the one that its key makes
-- needs: PostgreSQL 13
pg_catalog.sha256(pg_catalog.decode(t.part[8], 'hex')) = pg_catalog.sha256(
    pg_catalog.sha256(
        k.outer_pad || pg_catalog.sha256(
            k.inner_pad || pg_catalog.convert_to(pg_catalog.left(t.token, -65), 'UTF8')
        )
    )
)
