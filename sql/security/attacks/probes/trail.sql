-- attempts against the audit trail

-- statement: tables
-- the tables of the trail: of its schema, or a table called audit_log; the one with the entries first
select n.nspname, c.relname
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p')
    and (n.nspname = %(schema)s or c.relname = 'audit_log')
order by c.relname not in ('log', 'audit_log'), n.nspname, c.relname;

-- statement: functions
select
    p.proname,
    p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype as is_trigger,
    p.prokind::text,
    array(
        select pg_catalog.format_type(a.type, null)
        from pg_catalog.unnest(p.proargtypes::oid[]) with ordinality a (type, position)
        order by a.position
    ) as argument_types
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname = %(schema)s
order by p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid);

-- statement: trigger_functions
-- the trigger functions of the trail: of its schema, and those that write to a table called audit_log
select n.nspname, p.proname
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype
    and (
        n.nspname = %(schema)s
        or n.nspname not in ('pg_catalog', 'information_schema') and p.prosrc ilike '%%audit_log%%'
    )
order by n.nspname, p.proname;

-- statement: count
select count(*)
from {log} l;

-- statement: mentions
select count(*)
from {log} l
where pg_catalog.strpos(l::text, %(text)s) > 0;

-- statement: insert
insert into {table} default values;

-- statement: update
update {table} t
set {column} = {column};

-- statement: delete
delete from {table} t;

-- statement: own_table
create temporary table wb_own (number integer);

-- statement: own_trigger
create trigger wb_forged
after insert on wb_own
for each row
execute function {function}();

-- statement: own_row
insert into wb_own
values (1);

-- statement: change_anywhere
update {table} t
set {column} = {expression}
where {key} = %(key)s
    and t.{column}::text is distinct from ({expression})::text;

-- statement: add_copy
-- a row that is there is inserted again, and so is an update
insert into {table} as t ({columns})
overriding system value
select {columns}
from {table} s
where {source_key} = %(key)s
on conflict ({key_columns}) do update
set {column} = {expression};

-- statement: merge_change
merge into {table} t
using (select 1) once
on {key} = %(key)s
when matched then
    update set {column} = {expression};

-- statement: remove
delete from {table} t
where {key} = %(key)s;

-- statement: replica
set local session_replication_role = replica;

-- statement: disable_triggers
alter table {table} disable trigger user;

-- statement: drop_triggers
drop trigger {trigger} on {table};

-- statement: triggers_of
select t.tgname
from pg_catalog.pg_trigger t
join pg_catalog.pg_proc p on p.oid = t.tgfoid
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where t.tgrelid = %(table)s::pg_catalog.regclass
    and not t.tgisinternal
    and n.nspname = %(schema)s
order by t.tgname;

-- statement: truncate
truncate table {table};

-- statement: detach
alter table {parent} detach partition {leaf};

-- statement: first_key
select row({key})::text
from {table} t
order by {key}
limit 1;

-- statement: a_value
-- a value of a column, long enough that it is not found by chance, and another's
select v.value, (
    select min(o.{column}::text)
    from {table} o
    where o.{column}::text <> v.value
)
from (
    select t.{column}::text as value
    from {table} t
    where pg_catalog.length(t.{column}::text) >= 4
    order by t.{column}::text desc
    limit 1
) v;

-- statement: change_value
update {table} t
set {column} = %(new)s
where t.ctid = (
    select s.ctid
    from {table} s
    where s.{column}::text = %(value)s
    order by s.ctid
    limit 1
);

-- statement: remove_value
delete from {table} t
where t.ctid = (
    select s.ctid
    from {table} s
    where s.{column}::text = %(value)s
    order by s.ctid
    limit 1
);

-- statement: tamper_update
update {log} l
set {column} = %(value)s;

-- statement: tamper_delete
delete from {log} l;

-- statement: forget_months
delete from {schema}.seal_months m;

-- statement: forget_seals
delete from {schema}.seals s;
