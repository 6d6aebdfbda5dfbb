-- tables: customers with visits (no index on the customer), orders (an index) and items (through the order)
-- needs: PostgreSQL 13   parameters: rows integer, customers integer, orders integer
create schema measured;

create table measured.customers (
    customer_id integer not null primary key
);

create table measured.visits (
    visit_id integer not null primary key,
    customer_id integer not null,
    seconds integer not null
);

create table measured.orders (
    order_id integer not null primary key,
    customer_id integer not null references measured.customers,
    amount integer not null
);

create table measured.items (
    order_id integer not null references measured.orders,
    line_number integer not null,
    amount integer not null,
    primary key (order_id, line_number)
);

insert into measured.customers
select n
from pg_catalog.generate_series(1, %(customers)s) n;

insert into measured.visits
select n, 1 + n %% %(customers)s, n %% 100
from pg_catalog.generate_series(1, %(rows)s) n;

insert into measured.orders
select n, 1 + n %% %(customers)s, n %% 100
from pg_catalog.generate_series(1, %(orders)s) n;

insert into measured.items
select 1 + n / 5, 1 + n %% 5, n %% 100
from pg_catalog.generate_series(0, 5 * %(orders)s - 1) n;

create index on measured.orders (customer_id);

analyze;
