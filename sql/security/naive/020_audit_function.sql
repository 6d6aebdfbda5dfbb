-- audit_function: with the rights of whoever writes, without a search_path, the actor as the session says it
-- needs: PostgreSQL 13   placeholders: function, log
create function {function}()
returns trigger
language plpgsql
as $$
begin
    if tg_op = 'INSERT' then
        insert into {log} (table_name, action, user_id, record_id, new_data, query_text, ip_address)
        values (
            tg_table_name, tg_op, current_setting('app.current_user_id', true),
            to_jsonb(new) ->> tg_argv[0], to_jsonb(new), current_query(), inet_client_addr()
        );
        return new;
    elsif tg_op = 'UPDATE' then
        insert into {log} (
            table_name, action, user_id, record_id, old_data, new_data, changed_fields, query_text, ip_address
        )
        values (
            tg_table_name, tg_op, current_setting('app.current_user_id', true),
            to_jsonb(new) ->> tg_argv[0], to_jsonb(old), to_jsonb(new),
            (
                select jsonb_object_agg(changed.key, changed.value)
                from jsonb_each(to_jsonb(new)) changed
                where to_jsonb(old) -> changed.key is distinct from changed.value
            ),
            current_query(), inet_client_addr()
        );
        return new;
    end if;
    insert into {log} (table_name, action, user_id, record_id, old_data, query_text, ip_address)
    values (
        tg_table_name, tg_op, current_setting('app.current_user_id', true),
        to_jsonb(old) ->> tg_argv[0], to_jsonb(old), current_query(), inet_client_addr()
    );
    return old;
end
$$;
