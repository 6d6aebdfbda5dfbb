-- attempts to reach rows of somebody else

-- statement: count
select count(*)
from {table} t
where {key} = any(%(keys)s);

-- statement: count_all
select count(*)
from {table} t;

-- statement: insert
insert into {table} ({columns})
values ({values});

-- statement: insert_or_nothing
insert into {table} ({columns})
values ({values})
on conflict do nothing;

-- statement: insert_or_update
insert into {table} ({columns})
values ({values})
on conflict ({key_columns}) do update
set {column} = excluded.{column};

-- statement: update
update {table} t
set {column} = t.{column}
where {key} = any(%(keys)s);

-- statement: hand_over
update {table} t
set {column} = %(identity)s
where {key} = any(%(keys)s);

-- statement: delete
delete from {table} t
where {key} = any(%(keys)s);

-- statement: merge
merge into {table} t
using (select pg_catalog.unnest(%(keys)s::text[]) as key) wanted
on {key} = wanted.key
when matched then
    update set {column} = t.{column};

-- statement: lock_rows
select
from {table} t
where {key} = any(%(keys)s)
for update;

-- statement: empty_setting
select pg_catalog.set_config(%(setting)s, '', false);

-- statement: setting
select pg_catalog.set_config(%(setting)s, %(value)s, false);

-- statement: current_setting
select pg_catalog.current_setting(%(setting)s, true);

-- statement: row_security_off
set local row_security = off;

-- statement: error_oracle
select count(*)
from {table} t
where 1 / (case when {key} = any(%(keys)s) then 0 else 1 end) = 1;

-- statement: prepare
prepare counted (text[]) as
with wanted as materialized (
    select {key} as key
    from {table} t
)
select count(*)
from wanted
where wanted.key = any($1);

-- statement: execute
execute counted (%(keys)s::text[]);

-- statement: generic_plan
set local plan_cache_mode = force_generic_plan;

-- statement: hold
declare held cursor with hold for
select {key}
from {table} t;

-- statement: fetch_held
fetch all from held;

-- statement: parallel
set local debug_parallel_query = on;

-- statement: no_force
alter table {table} no force row level security;

-- statement: truncate
truncate table {table} cascade;
