-- bench_tables: the same table once for each way of auditing it, and the row trigger that everybody writes, repaired
create table audit_log (
    audit_id bigint generated always as identity primary key,
    table_name text not null,
    action text not null,
    actor text,
    record_id text not null,
    old_data jsonb,
    new_data jsonb,
    changed_fields jsonb,
    query_text text,
    ip_address inet,
    created_at timestamptz not null default current_timestamp
);

create index audit_log_record_idx on audit_log (table_name, record_id);

create function audit_trigger_function()
returns trigger
language plpgsql
as $body$
begin
    if tg_op = 'INSERT' then
        insert into audit_log (table_name, action, actor, record_id, new_data, query_text, ip_address)
        values (
            tg_table_name, tg_op, nullif(current_setting('app.actor', true), ''), new.order_id::text,
            to_jsonb(new), current_query(), inet_client_addr()
        );
        return new;
    elsif tg_op = 'UPDATE' then
        insert into audit_log (
            table_name, action, actor, record_id, old_data, new_data, changed_fields, query_text, ip_address
        )
        values (
            tg_table_name, tg_op, nullif(current_setting('app.actor', true), ''), new.order_id::text,
            to_jsonb(old), to_jsonb(new),
            (
                select jsonb_object_agg(e.key, e.value)
                from jsonb_each(to_jsonb(new)) e
                where to_jsonb(old) -> e.key is distinct from e.value
            ),
            current_query(), inet_client_addr()
        );
        return new;
    end if;
    insert into audit_log (table_name, action, actor, record_id, old_data, query_text, ip_address)
    values (
        tg_table_name, tg_op, nullif(current_setting('app.actor', true), ''), old.order_id::text,
        to_jsonb(old), current_query(), inet_client_addr()
    );
    return old;
end
$body$;

create table unaudited (
    order_id uuid primary key,
    user_id uuid not null,
    order_number text not null,
    status text not null,
    payment_status text not null,
    currency_code text not null,
    subtotal numeric(12, 2) not null,
    tax_amount numeric(12, 2) not null,
    shipping_amount numeric(12, 2) not null,
    discount_amount numeric(12, 2) not null,
    total_amount numeric(12, 2) not null,
    shipping_address_id uuid,
    billing_address_id uuid,
    notes text,
    created_at timestamptz not null,
    updated_at timestamptz not null
) with (fillfactor = 50);

insert into unaudited
select
    pg_catalog.md5(g::text)::uuid, pg_catalog.md5('user' || g %% 1000)::uuid, 'ORD-' || g, 'pending', 'paid', 'USD',
    g, g * 0.19, 5, 0, g * 1.19 + 5, pg_catalog.md5('a' || g)::uuid, pg_catalog.md5('b' || g)::uuid, 'leave it at the door',
    '2026-01-01'::timestamptz + g * interval '1 minute', '2026-01-01'::timestamptz + g * interval '1 minute'
from pg_catalog.generate_series(1, %(rows)s) g;

create table by_naive (like unaudited including all);

create table by_statement (like unaudited including all);

create table by_row (like unaudited including all);

insert into by_naive select * from unaudited;

insert into by_statement select * from unaudited;

insert into by_row select * from unaudited;

create trigger audit_orders
after insert or update or delete on by_naive
for each row
execute function audit_trigger_function();
