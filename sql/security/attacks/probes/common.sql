-- what several probes send; a statement goes to the next "statement:" line

-- statement: become
set local session authorization {role};

-- statement: back
reset session authorization;

-- statement: roles
select r.rolname
from pg_catalog.pg_roles r
order by r.rolname;

-- statement: keys
select row({key})::text
from {table} t
where {owned}
    -- a table that inherits has keys of its own, which may be the same
    and not exists (
        select
        from {table} s
        where ({same_key}) = ({key})
            and s.tableoid <> t.tableoid
    )
order by {key}
limit %(limit)s;

-- statement: owned_by_column
{column}::text = %(identity)s

-- statement: owned_by_parent
exists (
    select
    from {parent} {alias}
    where ({parent_columns}) = ({columns})
        and {owned}
)

-- statement: row_values
select {fields}
from {table} t
where {key} = %(key)s;

-- statement: creatable_schemas
select n.nspname
from pg_catalog.pg_namespace n
where pg_catalog.has_schema_privilege(n.oid, 'create')
    and n.nspname not like 'pg\_%%'
    and n.nspname <> 'information_schema'
order by n.nspname;

-- statement: may_make_temporary
select pg_catalog.bool_or(
    pg_catalog.has_database_privilege(role.name, pg_catalog.current_database(), 'temporary')
)
from pg_catalog.unnest(%(roles)s::text[]) role (name);
