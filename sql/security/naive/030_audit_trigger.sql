-- audit_trigger: row by row, and not on TRUNCATE
-- needs: PostgreSQL 13   placeholders: trigger, table, function, key
create trigger {trigger}
after insert or update or delete on {table}
for each row
execute function {function}({key});
