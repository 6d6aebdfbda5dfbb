-- variants: two roles with the rights of measured_app and other policies: a setting a row, the parent a row
-- needs: PostgreSQL 13
create role measured_per_row login;

create role measured_exists login;

do $$
begin
    execute pg_catalog.format(
        'grant connect on database %I to measured_per_row, measured_exists', pg_catalog.current_database()
    );
end
$$;

grant usage on schema measured, access to measured_per_row, measured_exists;

grant select on measured.visits, measured.orders, measured.items to measured_per_row, measured_exists;

grant execute on function access.current_identity() to measured_per_row, measured_exists;

create policy per_row on measured.visits for select to measured_per_row
using (customer_id = nullif(pg_catalog.current_setting('measured.customer', true), '')::integer);

create policy per_row on measured.orders for select to measured_per_row
using (customer_id = nullif(pg_catalog.current_setting('measured.customer', true), '')::integer);

create policy by_exists on measured.orders for select to measured_exists
using (customer_id = (select access.current_identity()));

create policy by_exists on measured.items for select to measured_exists
using (
    exists (
        select
        from measured.orders o
        where o.order_id = items.order_id
            and o.customer_id = (select access.current_identity())
    )
);
