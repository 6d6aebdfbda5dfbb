-- working: valid writes, found by trying as a superuser and then made by the role that may make them
-- needs: PostgreSQL 13

-- statement: insert
insert into {table} as t ({columns}) values ({values})

-- statement: update
update {table} as t set {column} = {value} where {row}

-- statement: delete
delete from {table} as t where {row}

-- statement: in_reach
returning ({reach}) is true

-- statement: everything_checked
set constraints all immediate

-- statement: rows
select {held}
from {table} as t
where {reach}
order by {order}
limit {most}

-- statement: values
select distinct t.{column}::text as value
from {table} as t
where {reach}
    and t.{column} is not null
order by value
limit {most}

-- statement: next_number
select (coalesce(pg_catalog.max({column}), 0) + {step})::text
from {table}

-- statement: next_moment
select (coalesce(pg_catalog.max({column}), pg_catalog.now()) + interval '1 day')::text
from {table}

-- statement: new_uuid
select pg_catalog.gen_random_uuid()::text

-- statement: identity_without
select i.{key}::text
from {identities} as i
where not exists (
    select
    from {table} as t
    where t.{column} = i.{key}
)
order by 1
limit 1

-- statement: effects
-- what the transaction has done so far; of the trail all, for its triggers are to fire for everybody
select
    s.schemaname || '.' || s.relname as relation,
    s.n_tup_ins,
    s.n_tup_upd,
    s.n_tup_del
from pg_catalog.pg_stat_xact_user_tables s
where s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0
order by relation

-- statement: compared
select pg_catalog.count(*)
from {table} as t
where t.{column} operator({schema}.{operator}) t.{column}

-- statement: equalities
-- the operators of equality that a column's type brings along in a schema of its own
select
    n.nspname::text as schema,
    c.relname::text as name,
    a.attname::text as column,
    m.nspname::text as operator_schema,
    o.oprname::text as operator
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c
  on c.oid = a.attrelid
join pg_catalog.pg_namespace n
  on n.oid = c.relnamespace
join pg_catalog.pg_opclass k
  on k.opcintype = a.atttypid
  and k.opcdefault
join pg_catalog.pg_am h
  on h.oid = k.opcmethod
  and h.amname = 'btree'
join pg_catalog.pg_amop e
  on e.amopfamily = k.opcfamily
  and e.amoplefttype = a.atttypid
  and e.amoprighttype = a.atttypid
  and e.amopstrategy = 3
join pg_catalog.pg_operator o
  on o.oid = e.amopopr
join pg_catalog.pg_namespace m
  on m.oid = o.oprnamespace
where c.relkind in ('r', 'p')
    and not c.relispartition
    and a.attnum > 0
    and not a.attisdropped
    and n.nspname = any(%(schemas)s)
    and m.nspname <> 'pg_catalog'
order by n.nspname, c.relname, a.attnum

-- statement: trail_read
select pg_catalog.count(*)
from {table} as t

-- statement: identity
select {schema}.current_identity()::text
