-- A rental shop of films with generated rows: primary keys and no other index.
create schema rental;
set search_path = rental;

create table countries (country_id integer primary key, country text not null);
create table cities (city_id integer primary key, city text not null, country_id integer not null references countries);
create table stores (store_id integer primary key, city_id integer not null references cities);
create table categories (category_id integer primary key, category text not null);
create table actors (actor_id integer primary key, first_name text not null, last_name text not null);

create table films (
    film_id integer primary key,
    title text not null,
    release_year integer not null,
    rating text not null,
    length_minutes integer not null,
    category_id integer not null references categories
);

create table film_actors (
    film_id integer not null references films,
    actor_id integer not null references actors,
    primary key (film_id, actor_id)
);

create table customers (
    customer_id integer primary key,
    store_id integer not null references stores,
    city_id integer not null references cities,
    email text not null,
    last_name text not null,
    is_active boolean not null,
    joined_on date not null
);

create table copies (
    copy_id integer primary key,
    film_id integer not null references films,
    store_id integer not null references stores
);

create table rentals (
    rental_id integer primary key,
    copy_id integer not null references copies,
    customer_id integer not null references customers,
    rented_at timestamp not null,
    returned_at timestamp
);

create table payments (
    payment_id integer primary key,
    rental_id integer not null references rentals,
    customer_id integer not null references customers,
    amount numeric(6, 2) not null,
    paid_at timestamp not null
);
