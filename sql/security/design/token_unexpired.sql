-- token_unexpired: the statement began within the token's time
-- needs: PostgreSQL 13
(
    extract(epoch from pg_catalog.statement_timestamp()) >= t.part[6]::bigint
    and extract(epoch from pg_catalog.statement_timestamp()) < t.part[7]::bigint
)
