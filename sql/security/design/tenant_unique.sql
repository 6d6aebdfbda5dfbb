-- tenant_unique: a key together with the identity that the row belongs to, to be referred to
-- needs: PostgreSQL 13   placeholders: table, table_name, constraint, constraint_name, columns
do $design$
begin
    if not exists (
        select
        from pg_catalog.pg_constraint c
        where c.conrelid = {table_name}::pg_catalog.regclass
            and c.conname = {constraint_name}
    ) then
        alter table {table} add constraint {constraint} unique ({columns});
    end if;
end
$design$;
