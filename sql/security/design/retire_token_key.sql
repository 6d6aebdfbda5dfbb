-- retire_token_key: no token of a key is accepted from a moment on
-- needs: PostgreSQL 13   placeholders: table   parameters: key text, ends timestamptz (null: now)
update {table} k
set
    not_before = least(k.not_before, e.ends - interval '1 microsecond'),
    not_after = e.ends
from (select coalesce(%(ends)s::timestamptz, pg_catalog.statement_timestamp()) as ends) e
where k.key_id = %(key)s;
