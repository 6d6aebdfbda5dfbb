-- relations: tables, partitioned tables, views, materialized views and foreign tables
-- needs: PostgreSQL 13   parameters: schemas oid[]
-- sizes and row estimates of a partitioned table are the sums over its partitions
with recursive relations as (
  select c.*
  from pg_catalog.pg_class c
  where c.relnamespace = any(%(schemas)s::oid[])
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and not exists (
      select
      from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        and d.objid = c.oid
        and d.deptype = 'e'
    )
),
members as (
  select r.oid as root, r.oid
  from relations r
  where r.relkind in ('r', 'p', 'm', 'f')
  union all
  select m.root, i.inhrelid
  from members m
  join pg_catalog.pg_class parent on parent.oid = m.oid
  join pg_catalog.pg_inherits i on i.inhparent = m.oid
  where parent.relkind = 'p'
),
measured as materialized (
  select
    c.oid,
    pg_catalog.pg_table_size(c.oid) as size_bytes,
    pg_catalog.pg_total_relation_size(c.oid) as total_size_bytes,
    case
      when c.relkind = 'p' or c.reltuples < 0 then null
      when c.relpages = 0 and pg_catalog.current_setting('server_version_num')::int < 140000 then null
      else c.reltuples::float8
    end as rows_estimated
  from (select distinct m.oid from members m) member
  join pg_catalog.pg_class c on c.oid = member.oid
),
totals as (
  select
    m.root as oid,
    sum(x.size_bytes)::bigint as size_bytes,
    sum(x.total_size_bytes)::bigint as total_size_bytes,
    sum(x.rows_estimated) as rows_estimated
  from members m
  join measured x on x.oid = m.oid
  group by m.root
),
parents as (
  select
    i.inhrelid as oid,
    pg_catalog.array_agg(pn.nspname::text order by i.inhseqno) as schemas,
    pg_catalog.array_agg(pc.relname::text order by i.inhseqno) as names
  from pg_catalog.pg_inherits i
  join pg_catalog.pg_class pc on pc.oid = i.inhparent
  join pg_catalog.pg_namespace pn on pn.oid = pc.relnamespace
  group by i.inhrelid
)
select
  r.oid,
  n.nspname as schema,
  r.relname as name,
  case r.relkind
    when 'r' then 'table'
    when 'p' then 'partitioned table'
    when 'v' then 'view'
    when 'm' then 'materialized view'
    when 'f' then 'foreign table'
  end as kind,
  pg_catalog.pg_get_userbyid(r.relowner) as owner,
  d.description as comment,
  r.relispartition as is_partition,
  p.schemas as parent_schemas,
  p.names as parent_names,
  pg_catalog.pg_get_partkeydef(r.oid) as partition_key,
  pg_catalog.pg_get_expr(r.relpartbound, r.oid) as partition_bound,
  r.relrowsecurity as row_security,
  r.relforcerowsecurity as row_security_forced,
  case r.relpersistence when 'p' then 'permanent' when 'u' then 'unlogged' when 't' then 'temporary' end
    as persistence,
  t.rows_estimated,
  coalesce(t.size_bytes, 0) as size_bytes,
  coalesce(t.total_size_bytes, 0) as total_size_bytes
from relations r
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
left join parents p on p.oid = r.oid
left join totals t on t.oid = r.oid
left join pg_catalog.pg_description d
  on d.objoid = r.oid
  and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and d.objsubid = 0
order by n.nspname, r.relname;
