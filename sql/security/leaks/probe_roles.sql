-- probe_roles: the application's role, one that may read the table, and one that watches the server
create role app login;

create role reader login;

create role monitor login;

grant pg_read_all_stats to monitor;

grant select, insert, update on people to app;

grant select on people to reader;
