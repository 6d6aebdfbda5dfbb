-- prefix_redundant_index: indexes whose keys another index of the table begins with
-- level: info   needs: PostgreSQL 13   parameters: tables oid[]
-- near miss: a unique or constraint's index (it enforces more than the wider one); the keys behind others;
-- another method than btree, sort order, place of nulls, collation, operator class, predicate or expression;
-- included columns that the wider one lacks; a wider index four times as large (the narrow one is the faster
-- to read); an invalid wider index; a replica identity; the index on which the table is clustered; one that
-- is a duplicate already
with indexes as (
  select
    i.indexrelid,
    i.indrelid,
    ic.relname as index_name,
    n.nspname,
    c.relname,
    ic.relispartition as attached,
    ic.relkind,
    i.indnkeyatts,
    i.indisunique,
    i.indisreplident or i.indisclustered or con.oid is not null as protected,
    coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), '') as predicate,
    k.keys,
    k.included,
    case when c.relispartition and not ic.relispartition then pg_catalog.pg_partition_root(c.oid)::oid end
      as root
  from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
  join pg_catalog.pg_class c on c.oid = selected.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisvalid and i.indisready and i.indislive
  join pg_catalog.pg_class ic on ic.oid = i.indexrelid
  join pg_catalog.pg_am am on am.oid = ic.relam and am.amname = 'btree'
  left join pg_catalog.pg_constraint con
    on con.conindid = i.indexrelid
    and con.conrelid = i.indrelid
    and con.contype in ('p', 'u', 'x')
  cross join lateral (
    select
      pg_catalog.array_agg(
        pg_catalog.concat_ws(
          E'\x01', pg_catalog.pg_get_indexdef(i.indexrelid, key.position::int, true), key.attnum, key.opclass,
          key.collation_oid, key.option
        )
        order by key.position
      ) filter (where key.position <= i.indnkeyatts) as keys,
      coalesce(
        pg_catalog.array_agg(key.attnum) filter (where key.position > i.indnkeyatts), '{}'
      ) as included
    from rows from (
      pg_catalog.unnest(i.indkey::int2[]),
      pg_catalog.unnest(i.indclass::oid[]),
      pg_catalog.unnest(i.indcollation::oid[]),
      pg_catalog.unnest(i.indoption::int2[])
    ) with ordinality as key(attnum, opclass, collation_oid, option, position)
  ) k
),
pairs as (
  select distinct on (d.indexrelid) d.*, w.index_name as kept, w.indexrelid as kept_oid
  from indexes d
  join indexes w
    on w.indrelid = d.indrelid
    and w.indexrelid <> d.indexrelid
    and w.predicate = d.predicate
    and w.keys[1:d.indnkeyatts] = d.keys
    and (
      w.indnkeyatts > d.indnkeyatts
      or pg_catalog.cardinality(w.included) > pg_catalog.cardinality(d.included)
    )
  where not d.indisunique
    and not d.protected
    and not d.attached
    and d.included <@ (w.included || (
      select coalesce(pg_catalog.array_agg(attnum), '{}')
      from pg_catalog.pg_index wi
      cross join lateral pg_catalog.unnest(wi.indkey::int2[]) as u(attnum)
      where wi.indexrelid = w.indexrelid
    ))
    and (
      pg_catalog.pg_relation_size(w.indexrelid) < 1048576
      or pg_catalog.pg_relation_size(w.indexrelid) < 4 * pg_catalog.pg_relation_size(d.indexrelid)
    )
    and not exists (
      select
      from indexes twin
      where twin.indrelid = d.indrelid
        and twin.indexrelid <> d.indexrelid
        and twin.predicate = d.predicate
        and twin.keys = d.keys
        and twin.included = d.included
        and (twin.indisunique or twin.protected or twin.attached or twin.index_name < d.index_name)
    )
  order by d.indexrelid, w.indnkeyatts desc, w.protected desc, w.indisunique desc, w.index_name
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
    pg_catalog.array_agg(
      pg_catalog.format('%%I.%%I', p.nspname, p.index_name) order by p.nspname, p.relname, p.index_name
    ) as indexes,
    pg_catalog.sum(pg_catalog.pg_relation_size(p.indexrelid)) as size_bytes,
    pg_catalog.sum(pg_catalog.pg_relation_size(p.kept_oid)) as kept_size_bytes,
    pg_catalog.string_agg(
      pg_catalog.format(
        case when p.relkind = 'I' then 'drop index %%I.%%I;' else 'drop index concurrently %%I.%%I;' end,
        p.nspname, p.index_name
      ),
      E'\n' order by p.nspname, p.relname, p.index_name
    ) as fix
  from pairs p
  group by
    coalesce(p.root, p.indexrelid),
    case
      when p.root is not null then pg_catalog.md5(pg_catalog.array_to_string(p.keys, ',') || p.predicate)
    end
)
select
  'prefix_redundant_index' as "check",
  'info' as severity,
  g.object,
  pg_catalog.format(
    '%%I on %%I.%%I holds the first keys of %%I, which answers the same queries',
    g.index_name, g.schema_name, g.table_name, g.kept
  )
  || case
    when g.found = 1 then ''
    else pg_catalog.format('; and so on %%s more partition(s)', g.found - 1)
  end as title,
  'A btree index on (a, b) serves every search on a alone. The narrow index is somewhat smaller and '
  'so a little faster to read; whether that is worth a second index to maintain at every insert is '
  'for the workload to say. Source: PostgreSQL manual, 11.3 Multicolumn Indexes.' as why,
  g.fix,
  pg_catalog.jsonb_build_object(
    'schema', g.schema_name,
    'table', g.table_name,
    'indexes', g.indexes,
    'kept', g.kept,
    'method', 'btree',
    'keys', (
      select pg_catalog.jsonb_agg(pg_catalog.pg_get_indexdef(i.indexrelid, position, true) order by position)
      from pg_catalog.generate_series(1, i.indnkeyatts::int) as u(position)
    ),
    'predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
    'size_bytes', g.size_bytes,
    'kept_size_bytes', g.kept_size_bytes
  ) as details
from grouped g
join pg_catalog.pg_index i on i.indexrelid = g.indexrelid
order by g.object;
