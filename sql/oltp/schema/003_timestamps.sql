-- maintain_timestamps: what every table with created_at and updated_at calls before an update
create function shop.maintain_timestamps()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if new.created_at <> old.created_at then
        raise exception 'created_at of %.% is fixed at insertion', tg_table_schema, tg_table_name
            using errcode = 'check_violation', schema = tg_table_schema, table = tg_table_name, column = 'created_at';
    end if;
    if new.updated_at is not null then
        new.updated_at := pg_catalog.now();
    end if;
    return new;
end
$$;

comment on function shop.maintain_timestamps() is
    'Sets updated_at and keeps created_at as it was. Its triggers fire only where a row really changes.';
