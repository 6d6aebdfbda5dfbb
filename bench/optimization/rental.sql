-- A workload for the rental shop: joins of five tables, lists, reports and writes.
set search_path = rental;

-- name: overdue
-- weight: 200
select c.email, f.title, r.rented_at
from rentals r
join copies k on k.copy_id = r.copy_id
join films f on f.film_id = k.film_id
join customers c on c.customer_id = r.customer_id
where r.returned_at is null and k.store_id = 3
order by r.rented_at
limit 100;

-- name: history_of_customer
-- weight: 1000
select r.rented_at, r.returned_at, f.title, p.amount
from rentals r
join copies k on k.copy_id = r.copy_id
join films f on f.film_id = k.film_id
join payments p on p.rental_id = r.rental_id
where r.customer_id = 42
order by r.rented_at desc
limit 20;

-- name: login
-- weight: 3000
select customer_id, last_name
from customers
where lower(email) = 'customer77@example.org';

-- name: films_of_actor
-- weight: 500
select f.title, f.release_year
from actors a
join film_actors fa on fa.actor_id = a.actor_id
join films f on f.film_id = fa.film_id
where a.last_name = 'Last 17' and a.first_name = 'First 67'
order by f.release_year desc;

-- name: films_of_category
-- weight: 400
select f.film_id, f.title
from films f
where f.category_id = 4 and f.rating = 'PG'
order by f.release_year desc, f.title
limit 25;

-- name: copies_in_store
-- weight: 800
select k.copy_id
from copies k
where k.film_id = 123
    and k.store_id = 2
    and not exists (
        select 1
        from rentals r
        where r.copy_id = k.copy_id and r.returned_at is null
    );

-- name: revenue_of_month
-- weight: 10
select s.store_id, sum(p.amount)
from payments p
join rentals r on r.rental_id = p.rental_id
join copies k on k.copy_id = r.copy_id
join stores s on s.store_id = k.store_id
where p.paid_at >= timestamp '2024-03-01' and p.paid_at < timestamp '2024-04-01'
group by s.store_id;

-- name: revenue_by_country
-- weight: 2
select y.country, sum(p.amount)
from payments p
join customers c on c.customer_id = p.customer_id
join cities t on t.city_id = c.city_id
join countries y on y.country_id = t.country_id
where p.paid_at >= timestamp '2025-01-01'
group by y.country
order by 2 desc;

-- name: top_films
-- weight: 5
select f.title, count(*)
from rentals r
join copies k on k.copy_id = r.copy_id
join films f on f.film_id = k.film_id
join categories g on g.category_id = f.category_id
where g.category = 'Category 7' and r.rented_at >= timestamp '2025-10-01'
group by f.film_id, f.title
order by 2 desc
limit 10;

-- name: customers_of_city
-- weight: 100
select c.customer_id, c.last_name, max(p.paid_at)
from cities t
join customers c on c.city_id = t.city_id
join payments p on p.customer_id = c.customer_id
where t.city = 'City 250' and c.is_active
group by c.customer_id, c.last_name;

-- name: large_payments
-- weight: 50
select payment_id, customer_id, amount
from payments
where amount > 8 and paid_at >= timestamp '2025-12-01'
order by paid_at desc
limit 50;

-- name: names
-- weight: 600
select customer_id, email
from customers
where last_name like 'Name 49%' and store_id = 1
order by last_name
limit 20;

-- name: give_back
-- weight: 900
update rentals
set returned_at = timestamp '2026-01-01'
where copy_id = 321 and returned_at is null;

-- name: rent
-- weight: 900
insert into rentals
select coalesce(max(rental_id), 0) + 1, 321, 42, timestamp '2026-01-01', null
from rentals;

-- name: pay
-- weight: 900
insert into payments
select coalesce(max(payment_id), 0) + 1, 1, 42, 4.99, timestamp '2026-01-01'
from payments;
