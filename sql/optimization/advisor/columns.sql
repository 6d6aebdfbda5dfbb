-- columns: what the candidates of indexes need to know of each column of each table that can have one
-- near miss: a partition goes by its topmost parent, which is the table that an index is created on
with recursive roots as (
    select c.oid, c.oid as root
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'm')
        and not c.relispartition
        and n.nspname <> 'information_schema'
        and n.nspname !~ '^pg_'
    union all
    select i.inhrelid, r.root
    from roots r
    join pg_catalog.pg_inherits i on i.inhparent = r.oid
    join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relispartition
),
sizes as (
    select
        r.root,
        sum(greatest(c.reltuples, 0)) filter (where c.relkind <> 'p') as rows_estimated,
        sum(c.relpages::bigint) filter (where c.relkind <> 'p') as pages
    from roots r
    join pg_catalog.pg_class c on c.oid = r.oid
    group by r.root
)
select
    n.nspname as schema_name,
    c.relname as table_name,
    coalesce(s.rows_estimated, 0)::float8 as rows_estimated,
    coalesce(s.pages, 0)::bigint as pages,
    array(
        select array[pn.nspname, pc.relname]::text[]
        from roots p
        join pg_catalog.pg_class pc on pc.oid = p.oid
        join pg_catalog.pg_namespace pn on pn.oid = pc.relnamespace
        where p.root = c.oid and p.oid <> c.oid
        order by pn.nspname, pc.relname
    ) as partitions,
    a.attname as column_name,
    pg_catalog.format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as base_type,
    t.typcategory as category,
    st.n_distinct::float8 as n_distinct,
    coalesce(st.null_frac, 0)::float8 as null_fraction,
    st.correlation::float8 as correlation,
    st.avg_width::float8 as average_width_bytes,
    a.attcollation = 0
        or coalesce(co.collcollate, d.datcollate) in ('C', 'POSIX')
        or coalesce(co.collprovider, d.datlocprovider) = 'b' as collates_as_c
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join sizes s on s.root = c.oid
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
left join pg_catalog.pg_collation co on co.oid = a.attcollation and co.collname <> 'default'
left join lateral (
    select p.n_distinct, p.null_frac, p.correlation, p.avg_width
    from pg_catalog.pg_stats p
    where p.schemaname = n.nspname and p.tablename = c.relname and p.attname = a.attname
    order by p.inherited desc
    limit 1
) st on true
order by n.nspname, c.relname, a.attnum;
