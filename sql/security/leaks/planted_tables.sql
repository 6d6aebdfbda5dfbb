-- planted_tables: the same table twice, one for values in clear, one for sealed ones, both audited and indexed
create table clear_people (
    id integer primary key,
    ssn text
);

create table sealed_people (
    id integer primary key,
    ssn bytea,
    ssn_index bytea
);

create index clear_people_ssn on clear_people (ssn);

create index sealed_people_ssn on sealed_people (ssn_index);

create trigger note after insert or update or delete on clear_people
    for each row execute function audit.note();

create trigger note after insert or update or delete on sealed_people
    for each row execute function audit.note();
