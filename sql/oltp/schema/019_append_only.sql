-- refuse_change: what tables call that may only grow
create function shop.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, pg_catalog.lower(tg_op)
        using errcode = 'insufficient_privilege', schema = tg_table_schema, table = tg_table_name;
end
$$;

comment on function shop.refuse_change() is 'Raises insufficient_privilege, whoever asks.';

create trigger order_status_history_append_only
before update or delete or truncate on shop.order_status_history
for each statement
execute function shop.refuse_change();
