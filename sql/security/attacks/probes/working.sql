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
