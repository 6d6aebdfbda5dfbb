-- attempts to become somebody else, and to reach what lies outside of the tables

-- statement: tables_with
select pg_catalog.format('%%I.%%I', n.nspname, c.relname)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p')
    and n.nspname not in ('pg_catalog', 'information_schema')
    and n.nspname not like 'pg\_%%'
    and pg_catalog.has_table_privilege(c.oid, %(privilege)s)
order by n.nspname, c.relname;

-- statement: set_role
set local role {role};

-- statement: set_authorization
set local session authorization {role};

-- statement: reset_role
reset role;

-- statement: who_am_i
select
    current_user <> %(role)s
    or session_user <> %(role)s
    or pg_catalog.current_setting('is_superuser') = 'on';

-- statement: new_table
create table {schema}.wb_new as
select 1 as number;

-- statement: new_sequence
create sequence {schema}.wb_sequence;

-- statement: new_function
create function {schema}.wb_function()
returns integer
language sql
as 'select 1';

-- statement: read_table
select count(*)
from {schema}.wb_new t;

-- statement: use_sequence
select pg_catalog.nextval(pg_catalog.format('%%I.wb_sequence', %(schema)s::text)::pg_catalog.regclass);

-- statement: call_function
select {schema}.wb_function();

-- statement: sequences
select n.nspname, c.relname
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'S'
    and n.nspname not in ('pg_catalog', 'information_schema')
    and n.nspname not like 'pg\_%%'
order by n.nspname, c.relname
limit 5;

-- statement: last_value
select s.last_value
from {sequence} s;

-- statement: nextval
select pg_catalog.nextval(%(sequence)s::pg_catalog.regclass);

-- statement: setval
select pg_catalog.setval(%(sequence)s::pg_catalog.regclass, %(value)s);

-- statement: lo_create
select pg_catalog.lo_create(0);

-- statement: lo_make
select pg_catalog.lo_from_bytea(4242424, 'secret'::bytea);

-- statement: lo_get
select pg_catalog.lo_get(%(object)s);

-- statement: lo_import
select pg_catalog.lo_import('/etc/hostname');

-- statement: lo_export
select pg_catalog.lo_export(%(object)s, '/dev/null');

-- statement: make_dblink
create extension dblink with schema wb_probe;

-- statement: make_dblink_alone
create extension dblink with schema pg_catalog;

-- statement: open_dblink
grant execute on all functions in schema wb_probe to public;

-- statement: dblink
select who
from wb_probe.dblink(%(where)s, 'select current_user::text') answer (who text);

-- statement: copy_program
copy (select 1) to program 'true';

-- statement: copy_file
copy (select 1) to '/dev/null';

-- statement: copy_from_file
copy pg_temp.wb_absent from '/dev/null';

-- statement: read_file
select pg_catalog.pg_read_file('PG_VERSION');

-- statement: list_files
select pg_catalog.pg_ls_dir('.');

-- statement: passwords
select count(a.rolpassword)
from pg_catalog.pg_authid a;

-- statement: user_mappings
select count(*)
from pg_catalog.pg_user_mapping m;

-- statement: alter_system
alter system set work_mem = '4MB';

-- statement: alter_system_back
alter system reset work_mem;

-- statement: load_library
load '$libdir/dblink';

-- statement: c_function
create function pg_temp.wb_c(cstring)
returns integer
language c
as '$libdir/plpgsql', 'plpgsql_call_handler';

-- statement: terminate
select count(pg_catalog.pg_terminate_backend(a.pid))
from pg_catalog.pg_stat_activity a
where a.usename = %(role)s
    and a.pid <> pg_catalog.pg_backend_pid();
