-- Rows for the rental shop; {rentals} of them, customers and films in proportion. The same every time.
set search_path = rental;
select setseed(0.5);

insert into countries select i, 'Country ' || i from generate_series(1, 100) i;
insert into cities select i, 'City ' || i, 1 + i % 100 from generate_series(1, 600) i;
insert into stores select i, 1 + i * 37 % 600 from generate_series(1, 12) i;
insert into categories select i, 'Category ' || i from generate_series(1, 16) i;
insert into actors select i, 'First ' || i % 130, 'Last ' || i % 700 from generate_series(1, 2000) i;

insert into films
select i, 'Film ' || md5(i::text), 1970 + (50 * sqrt(random()))::integer,
    (array['G', 'PG', 'PG-13', 'R', 'NC-17'])[1 + floor(5 * random() * random())::integer],
    60 + (120 * random())::integer, 1 + (15.49 * random())::integer
from generate_series(1, greatest(100, {rentals} / 50)) i;

insert into film_actors
select distinct f.film_id, 1 + (1999 * random() * random())::integer
from films f, generate_series(1, 6) g;

insert into customers
select i, 1 + (11.49 * random() * random())::integer, 1 + (599 * random())::integer,
    'customer' || i || '@example.org', 'Name ' || (i * 7919 % 5000), random() < 0.9,
    date '2015-01-01' + (3000 * random())::integer
from generate_series(1, greatest(100, {rentals} / 20)) i;

insert into copies
select i, 1 + ((select count(*) - 1 from films) * random())::integer, 1 + (11.49 * random())::integer
from generate_series(1, greatest(300, {rentals} / 12)) i;

insert into rentals
select i, 1 + ((select count(*) - 1 from copies) * random())::integer,
    1 + ((select count(*) - 1 from customers) * random() * random())::integer,
    t, case when random() < 0.98 then t + random() * interval '12 days' end
from (
    select i, timestamp '2020-01-01' + i * (interval '2190 days' / {rentals}) as t
    from generate_series(1, {rentals}) i
) made;

insert into payments
select rental_id, rental_id, customer_id, 0.99 + (rental_id % 9), rented_at + interval '5 minutes'
from rentals;
