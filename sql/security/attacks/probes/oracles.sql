-- attempts to learn of hidden rows without reading them

-- statement: common_values
-- the most common values of text columns, which belong to more rows than one identity has
select s.attname, (s.most_common_vals::text::text[])[1]
from pg_catalog.pg_stats s
join pg_catalog.pg_attribute a
    on a.attrelid = %(table)s::pg_catalog.regclass
    and a.attname = s.attname
join pg_catalog.pg_type t on t.oid = a.atttypid
where s.schemaname = %(schema)s
    and s.tablename = %(name)s
    and t.typcategory = 'S'
    and s.most_common_vals is not null
order by s.most_common_freqs[1] desc, s.attname
limit 5;

-- statement: estimate
explain (format json)
select
from {table} t
where {column} = {value};

-- statement: statistics
select count(*)
from pg_catalog.pg_stats s
where s.schemaname = %(schema)s
    and s.tablename = %(name)s
    and s.most_common_vals is not null;

-- statement: statistics_table
select count(*)
from pg_catalog.pg_statistic s;

-- statement: extended_statistics
select count(*)
from pg_catalog.pg_statistic_ext_data s;

-- statement: removed_by_filter
explain (analyze, costs off, timing off, summary off, format json)
select
from {table} t;

-- statement: no_indexes
set local enable_indexscan = off;

-- statement: no_bitmaps
set local enable_bitmapscan = off;

-- statement: leaky_function
create function {schema}.leak(seen text)
returns boolean
language plpgsql
cost 0.0000001
as $body$
begin
    raise notice 'leaked %', seen;
    return true;
end
$body$;

-- statement: leakproof_function
create function {schema}.leakproof(seen text)
returns boolean
language sql
leakproof
as 'select true';

-- statement: leak
select count(*)
from {table} t
where {schema}.leak({key});

-- statement: leak_from_view
select count(*)
from {view} t
where {schema}.leak(t.row_key);

-- statement: scratch_schema
create schema wb_probe;

-- statement: give_schema
alter schema wb_probe owner to {role};

-- statement: open_schema
grant usage on schema wb_probe to public;

-- statement: view
create view wb_probe.shown as
select {key} as row_key, {columns}
from {table} t;

-- statement: invoker_view
create view wb_probe.shown with (security_invoker = true) as
select {key} as row_key, {columns}
from {table} t;

-- statement: filtered_view
create view wb_probe.shown as
select {key} as row_key
from {table} t
where {key} = any({keys});

-- statement: barrier_view
create view wb_probe.shown with (security_barrier = true) as
select {key} as row_key
from {table} t
where {key} = any({keys});

-- statement: materialized_view
create materialized view wb_probe.shown as
select {key} as row_key, {columns}
from {table} t;

-- statement: grant_view
grant select on wb_probe.shown to {role};

-- statement: count_view
select count(*)
from wb_probe.shown t
where t.row_key = any(%(keys)s);

-- statement: views
-- the views that read a table of those with owners, and their columns
select distinct n.nspname, c.relname, c.relkind::text
from pg_catalog.pg_depend d
join pg_catalog.pg_rewrite r on r.oid = d.objid
join pg_catalog.pg_class c on c.oid = r.ev_class
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.refobjid = any(%(tables)s::pg_catalog.regclass[])
    and c.oid <> d.refobjid
    and n.nspname not in ('pg_catalog', 'information_schema')
order by n.nspname, c.relname;

-- statement: unique_for_child
alter table {table} add unique ({columns});

-- statement: child
create table wb_probe.child as
select {owner}, {keys}
from {table} t
with no data;

-- statement: child_key
alter table wb_probe.child
add foreign key ({columns}) references {table} ({columns}) on delete cascade;

-- statement: child_row
insert into wb_probe.child ({owner}, {keys})
select (
        select o.{owner}
        from {table} o
        where o.{owner}::text = %(identity)s
        limit 1
    ), {keys}
from {table} t
where {key} = %(key)s;

-- statement: child_rows
select count(*)
from wb_probe.child c;

-- statement: no_seqscans
set local enable_seqscan = off;

-- statement: volumes
select c.reltuples::bigint, pg_catalog.pg_relation_size(c.oid)
from pg_catalog.pg_class c
where c.oid = %(table)s::pg_catalog.regclass;

-- statement: link
update {table} t
set {assignments}
where {key} = any(%(keys)s);

-- statement: mentions
select count(*)
from {table} t
where exists (
    select
    from pg_catalog.unnest(%(texts)s::text[]) wanted (text)
    where pg_catalog.strpos(t::text, wanted.text) > 0
);
