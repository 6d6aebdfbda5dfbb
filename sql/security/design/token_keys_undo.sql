-- token_keys_undo: drops the keys
-- needs: PostgreSQL 13   placeholders: table
drop table if exists {table};
