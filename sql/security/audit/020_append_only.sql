-- append-only: whoever changes, deletes or truncates is refused, the owner as well
create or replace function {audit}.refuse_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception '% of %.% is refused: %', lower(tg_op), tg_table_schema, tg_table_name,
        coalesce(tg_argv[0], 'it is append-only')
        using errcode = 'insufficient_privilege', schema = tg_table_schema, table = tg_table_name;
end
$body$;

comment on function {audit}.refuse_change() is 'Raises insufficient_privilege, whoever asks.';

-- Row triggers of a partitioned table reach its partitions, statement triggers do not.
create or replace procedure {audit}.protect(relation regclass, rows_too boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    if rows_too then
        execute format(
            'create or replace trigger append_only before update or delete on %s '
            'for each row execute function {audit}.refuse_change()', relation
        );
        execute format('alter table %s enable always trigger append_only', relation);
    end if;
    execute format(
        'create or replace trigger append_only_truncate before truncate on %s '
        'for each statement execute function {audit}.refuse_change()', relation
    );
    execute format('alter table %s enable always trigger append_only_truncate', relation);
end
$body$;

comment on procedure {audit}.protect(regclass, boolean) is 'Makes a table append-only.';

alter function {audit}.refuse_change() owner to {owner};

alter procedure {audit}.protect(regclass, boolean) owner to {owner};

do $body$
declare
    found record;
begin
    for found in
        select c.oid::pg_catalog.regclass as name, not c.relispartition as rows_too
        from pg_catalog.pg_class c
        where c.relnamespace = {audit_namespace}::pg_catalog.regnamespace
            and c.relkind in ('r', 'p')
            and c.relname <> 'watched'
        order by c.relispartition, c.relname
    loop
        call {audit}.protect(found.name, found.rows_too);
    end loop;
end
$body$;
