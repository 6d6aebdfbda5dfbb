-- further ways that a demanding reviewer tries

-- statement: rule
create rule wb_rule as
on insert to {table}
do also notify wb_rule;

-- statement: lock
lock table {table} in access exclusive mode nowait;

-- statement: comment
comment on table {table} is 'changed by an attacker';

-- statement: policy
create policy wb_open on {table}
using (true);

-- statement: disable
alter table {table} disable row level security;

-- statement: take
alter table {table} owner to {role};

-- statement: event_trigger
create event trigger wb_event on ddl_command_start
execute function pg_temp.wb_event();

-- statement: function_bodies
-- functions whose text anybody may read, and that hold what looks like a key
select pg_catalog.format('%%I.%%I', n.nspname, p.proname)
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname not in ('pg_catalog', 'information_schema')
    and p.prosrc ~ '[0-9a-fA-F]{{64}}|[A-Za-z0-9+/]{{43}}='
order by n.nspname, p.proname;

-- statement: policies_seen
select count(*)
from pg_catalog.pg_policies p;

-- statement: inherit
create table {schema}.wb_heir () inherits ({table});

-- statement: references
create table {schema}.wb_reference as
select {keys}
from {table} t
with no data;

-- statement: shadow_identity
create function pg_temp.current_identity()
returns text
language sql
as {body};

-- statement: shadow_identity_path
select pg_catalog.set_config('search_path', 'pg_temp, ' || pg_catalog.current_setting('search_path'), true);

-- statement: anonymous_block
do $body$
declare
    seen bigint;
begin
    select count(*)
    into seen
    from {table} t
    where {key} = any({keys});
    raise notice 'seen %', seen;
end
$body$;

-- statement: grant_self
grant {other} to {role};

-- statement: rise
alter role {role} superuser;

-- statement: bypass
alter role {role} bypassrls;

-- statement: make_role
create role wb_attacker login;

-- statement: dangerous_memberships
select r.rolname
from pg_catalog.pg_roles r
where r.rolname in (
        'pg_read_all_data', 'pg_write_all_data', 'pg_read_all_settings', 'pg_read_all_stats', 'pg_monitor',
        'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_signal_backend',
        'pg_checkpoint', 'pg_maintain', 'pg_create_subscription', 'pg_use_reserved_connections',
        'pg_stat_scan_tables', 'pg_database_owner'
    )
    and pg_catalog.pg_has_role(r.oid, 'member')
order by r.rolname;

-- statement: admin_options
select r.rolname
from pg_catalog.pg_auth_members m
join pg_catalog.pg_roles r on r.oid = m.roleid
join pg_catalog.pg_roles self on self.oid = m.member
where self.rolname = current_user
    and m.admin_option
order by r.rolname;

-- statement: attributes
select pg_catalog.concat_ws(
    ', ',
    case when r.rolsuper then 'superuser' end,
    case when r.rolbypassrls then 'bypassrls' end,
    case when r.rolcreaterole then 'createrole' end,
    case when r.rolcreatedb then 'createdb' end,
    case when r.rolreplication then 'replication' end
)
from pg_catalog.pg_roles r
where r.rolname = current_user;

-- statement: activity
select count(*)
from pg_catalog.pg_stat_activity a
where a.pid <> pg_catalog.pg_backend_pid()
    and a.query like '%%wb_marker%%';

-- statement: marked
select 'wb_marker' as marker;

-- statement: schema_tables
select c.relname
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s
    and c.relkind in ('r', 'p')
order by c.relname;

-- statement: read_any
select count(*)
from {table} t;

-- statement: whole_row
select count(t)
from {table} t
tablesample system (100)
where {key} = any(%(keys)s)
    and t.tableoid is not null
    and t.ctid is not null;

-- statement: publication
create publication wb_publication for table {table};

-- statement: replication_slot
select pg_catalog.pg_create_logical_replication_slot('wb_slot', 'pgoutput');

-- statement: statistics_object
create statistics {schema}.wb_statistics on {columns} from {table};

-- statement: role_settings
select count(*)
from pg_catalog.pg_db_role_setting s
cross join lateral pg_catalog.unnest(s.setconfig) setting (text)
where setting.text ilike '%%key%%'
    or setting.text ilike '%%secret%%'
    or setting.text ilike '%%password%%';

-- statement: parallel
set local debug_parallel_query = on;

-- statement: force_parallel
set local force_parallel_mode = on;

-- statement: owner_of
select r.rolname
from pg_catalog.pg_class c
join pg_catalog.pg_roles r on r.oid = c.relowner
where c.oid = %(table)s::pg_catalog.regclass;

-- statement: pads
select k.inner_pad, k.outer_pad
from {table} k
where k.key_id = %(key_id)s;
