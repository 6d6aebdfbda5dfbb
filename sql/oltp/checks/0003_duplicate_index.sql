-- duplicate_index: indexes that another index of the same definition makes redundant
-- level: warn   needs: PostgreSQL 13   parameters: tables oid[]
-- near miss: another order, method, sort order, place of nulls, collation, operator class or its options,
-- predicate, expression or included column; a unique index beside a plain one (it is the plain one that
-- goes); NULLS NOT DISTINCT beside NULLS DISTINCT on columns that can be null; an invalid twin; an exclusion
-- constraint; a replica identity; the index that a foreign key references; the index on which the table is
-- clustered
-- of equals the primary key stays, then what must stay, then a constraint's, then the unique one, then the
-- first by name
with indexes as (
  select
    i.indexrelid,
    i.indrelid,
    ic.relname as index_name,
    n.nspname,
    c.relname,
    c.relispartition as on_partition,
    ic.relispartition as attached,
    ic.relkind,
    i.indisunique,
    i.indimmediate,
    con.conname,
    con.contype,
    i.indisprimary
      or i.indisreplident
      or i.indisclustered
      or coalesce(con.contype = 'x', false)
      or exists (
        select
        from pg_catalog.pg_constraint f
        where f.conindid = i.indexrelid
          and f.contype = 'f'
      ) as protected,
    coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) as nulls_not_distinct,
    not exists (
      select
      from pg_catalog.pg_attribute a
      where a.attrelid = i.indrelid
        and a.attnum = any(i.indkey)
        and not a.attnotnull
    ) and i.indexprs is null as no_nulls,
    am.amname,
    pg_catalog.concat_ws(
      E'\x01',
      ic.relam, i.indnkeyatts, i.indkey, i.indclass, i.indcollation, i.indoption,
      pg_catalog.pg_get_expr(i.indexprs, i.indrelid),
      pg_catalog.pg_get_expr(i.indpred, i.indrelid) is null,
      pg_catalog.pg_get_expr(i.indpred, i.indrelid),
      (
        select pg_catalog.string_agg(a.attnum || ':' || a.attoptions::text, ',' order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = i.indexrelid
          and a.attoptions is not null
      )
    ) as signature,
    case when c.relispartition and not ic.relispartition then pg_catalog.pg_partition_root(c.oid)::oid end
      as root
  from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
  join pg_catalog.pg_class c on c.oid = selected.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisvalid and i.indisready and i.indislive
  join pg_catalog.pg_class ic on ic.oid = i.indexrelid
  join pg_catalog.pg_am am on am.oid = ic.relam
  left join pg_catalog.pg_constraint con
    on con.conindid = i.indexrelid
    and con.conrelid = i.indrelid
    and con.contype in ('p', 'u', 'x')
),
ranked as (
  select
    i.*,
    pg_catalog.row_number() over (
      partition by i.indrelid, i.signature
      order by coalesce(i.contype = 'p', false) desc, i.protected desc, i.attached desc, i.contype is null,
        i.indisunique desc, i.indimmediate desc, i.index_name
    ) as rank
  from indexes i
),
pairs as (
  select distinct on (d.indexrelid) d.*, k.index_name as kept, k.indexrelid as kept_oid
  from ranked d
  join ranked k on k.indrelid = d.indrelid and k.signature = d.signature and k.rank < d.rank
  where not d.protected
    and not d.attached
    and (
      not d.indisunique
      or (
        k.indisunique
        and (k.indimmediate or not d.indimmediate)
        and (d.no_nulls or k.nulls_not_distinct = d.nulls_not_distinct)
      )
    )
  order by d.indexrelid, k.rank
),
grouped as (
  select
    pg_catalog.min(pg_catalog.format('%%I.%%I.%%I', p.nspname, p.relname, p.index_name)) as object,
    pg_catalog.count(*) as found,
    (pg_catalog.array_agg(p.nspname::text order by p.nspname, p.relname, p.index_name))[1] as schema_name,
    (pg_catalog.array_agg(p.relname::text order by p.nspname, p.relname, p.index_name))[1] as table_name,
    (pg_catalog.array_agg(p.index_name::text order by p.nspname, p.relname, p.index_name))[1] as index_name,
    (pg_catalog.array_agg(p.kept::text order by p.nspname, p.relname, p.index_name))[1] as kept,
    (pg_catalog.array_agg(p.indexrelid order by p.nspname, p.relname, p.index_name))[1] as indexrelid,
    (pg_catalog.array_agg(p.amname::text order by p.nspname, p.relname, p.index_name))[1] as amname,
    pg_catalog.array_agg(
      pg_catalog.format('%%I.%%I', p.nspname, p.index_name) order by p.nspname, p.relname, p.index_name
    ) as indexes,
    pg_catalog.sum(pg_catalog.pg_relation_size(p.indexrelid)) as size_bytes,
    pg_catalog.string_agg(
      case
        when p.contype is not null then
          pg_catalog.format('alter table %%I.%%I drop constraint %%I;', p.nspname, p.relname, p.conname)
        when p.relkind = 'I' then pg_catalog.format('drop index %%I.%%I;', p.nspname, p.index_name)
        else pg_catalog.format('drop index concurrently %%I.%%I;', p.nspname, p.index_name)
      end,
      E'\n' order by p.nspname, p.relname, p.index_name
    ) as fix
  from pairs p
  group by coalesce(p.root, p.indexrelid), case when p.root is not null then pg_catalog.md5(p.signature) end
)
select
  'duplicate_index' as "check",
  'warn' as severity,
  g.object,
  pg_catalog.format(
    '%%I on %%I.%%I is the same index as %%I', g.index_name, g.schema_name, g.table_name, g.kept
  )
  || case
    when g.found = 1 then ''
    else pg_catalog.format(', and so on %%s more partition(s)', g.found - 1)
  end as title,
  'Both hold the same entries in the same order: the second answers no query that the first does '
  'not, and every insert, most updates and every vacuum maintain both. What it enforces the other '
  'enforces as well. Source: PostgreSQL manual, 11.1 Indexes, Introduction.' as why,
  g.fix,
  pg_catalog.jsonb_build_object(
    'schema', g.schema_name,
    'table', g.table_name,
    'indexes', g.indexes,
    'kept', g.kept,
    'method', g.amname,
    'keys', (
      select pg_catalog.jsonb_agg(pg_catalog.pg_get_indexdef(i.indexrelid, position, true) order by position)
      from pg_catalog.generate_series(1, i.indnkeyatts::int) as u(position)
    ),
    'predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
    'size_bytes', g.size_bytes
  ) as details
from grouped g
join pg_catalog.pg_index i on i.indexrelid = g.indexrelid
order by g.object;
