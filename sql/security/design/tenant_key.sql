-- tenant_key: a reference that cannot lead to a row of somebody else
-- needs: PostgreSQL 13
-- placeholders: table, table_name, constraint, constraint_name, columns, parent, parent_name, parent_columns,
-- placeholders: actions, same_key, same_identity
-- It is validated at once: in the one transaction of the design a later validation would hold the same locks.
do $design$
declare
    crossing bigint;
begin
    if not exists (
        select
        from pg_catalog.pg_constraint c
        where c.conrelid = {table_name}::pg_catalog.regclass
            and c.conname = {constraint_name}
    ) then
        select pg_catalog.count(*)
        into crossing
        from {table} c
        join {parent} p on {same_key}
        where not ({same_identity});
        if crossing > 0 then
            raise exception '% rows of % refer to a row of % that belongs to somebody else',
                crossing, {table_name}, {parent_name}
                using errcode = 'foreign_key_violation', hint = 'correct them, or say under owners that the rows of one of the two are nobody''s';
        end if;
        alter table {table} add constraint {constraint}
        foreign key ({columns}) references {parent} ({parent_columns}){actions};
    end if;
end
$design$;
