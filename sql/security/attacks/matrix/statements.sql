-- statements: what is tried, one after each name
-- needs: PostgreSQL 15 (merge)   placeholders: table, columns, values, assignments, row, and those of one
-- Those that count touch no row: set_config is asked only of the rows that row security lets through, and
-- it reads no column, so that it needs no right to read. What reads no column leaks none, and the planner asks
-- it before a dearer policy unless it costs more than ten operators (order_qual_clauses): hence the length.

-- name: select
select {columns} from {table} as t where {row}

-- name: select column
select {columns} from {table} as t limit 1

-- name: select count
select pg_catalog.count(*) from {table} as t

-- name: for update
select {columns} from {table} as t where {row} for update

-- name: for update of any
select from {table} as t for update

-- name: update
update {table} as t set {assignments} where {row}

-- name: update all
update {table} as t set {assignments}

-- name: update count
update {table} as t set {assignments}
where pg_catalog.set_config(
    'workbench.rows',
    (
        pg_catalog.current_setting('workbench.rows')::bigint + 1
        + pg_catalog.length(pg_catalog.current_setting('workbench.rows'))
        - pg_catalog.length(pg_catalog.current_setting('workbench.rows'))
        + pg_catalog.length(pg_catalog.current_setting('workbench.rows'))
        - pg_catalog.length(pg_catalog.current_setting('workbench.rows'))
    )::text,
    true
) is null

-- name: update returning
update {table} as t set {assignments} where {row} returning {columns}

-- name: delete
delete from {table} as t where {row}

-- name: delete count
delete from {table} as t
where pg_catalog.set_config(
    'workbench.rows',
    (
        pg_catalog.current_setting('workbench.rows')::bigint + 1
        + pg_catalog.length(pg_catalog.current_setting('workbench.rows'))
        - pg_catalog.length(pg_catalog.current_setting('workbench.rows'))
        + pg_catalog.length(pg_catalog.current_setting('workbench.rows'))
        - pg_catalog.length(pg_catalog.current_setting('workbench.rows'))
    )::text,
    true
) is null

-- name: delete returning
delete from {table} as t where {row} returning {returned}

-- name: insert
insert into {table} ({columns}) values ({values})

-- name: insert defaults
insert into {table} default values

-- name: insert returning
insert into {table} ({columns}) values ({values}) returning {returned}

-- name: merge update
merge into {table} as t using (select) as s on {row} when matched then update set {assignments}

-- name: merge delete
merge into {table} as t using (select) as s on {row} when matched then delete

-- name: merge insert
merge into {table} as t using (select) as s on {row} and false
when not matched then insert ({columns}) values ({values})

-- name: copy to
copy {table} ({columns}) to stdout

-- name: copy query to
copy (select {columns} from {table} as t) to stdout

-- name: copy from
copy {table} ({columns}) from stdin

-- name: truncate
truncate {table}

-- name: refresh
refresh materialized view {table}

-- name: last value
select last_value from {table}

-- name: nextval
select pg_catalog.nextval({sequence})

-- name: setval
select pg_catalog.setval({sequence}, 1)

-- name: set role
set local role {role}
