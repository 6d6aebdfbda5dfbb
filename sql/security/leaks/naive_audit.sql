-- naive_audit: a trail as many keep it: whole rows as JSON, and the statement's text
create schema if not exists audit;

create table audit.entry (
    entry_id bigint generated always as identity primary key,
    table_name text not null,
    old_row jsonb,
    new_row jsonb,
    statement text
);

create function audit.note()
returns trigger
language plpgsql
as $$
begin
    insert into audit.entry (table_name, old_row, new_row, statement)
    values (
        tg_table_name,
        case when tg_op <> 'INSERT' then pg_catalog.to_jsonb(old) end,
        case when tg_op <> 'DELETE' then pg_catalog.to_jsonb(new) end,
        pg_catalog.current_query()
    );
    return null;
end
$$;
