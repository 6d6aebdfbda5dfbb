-- sealed_people: the same table for values that the application has sealed
create table people (
    id integer primary key,
    ssn bytea
);
