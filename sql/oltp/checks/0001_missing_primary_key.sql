-- missing_primary_key: tables without a primary key
-- level: warn   needs: PostgreSQL 13   parameters: tables oid[]
-- near miss: a partitioned table each of whose partitions has a primary key of its own
-- fix: a unique key that cannot be null becomes the primary key; else a column named like a key whose values
-- are all different by the statistics; else a new identity column
with tables as (
  select
    c.oid,
    n.nspname,
    c.relname,
    c.relkind,
    c.reltuples,
    pg_catalog.format('%%I.%%I', n.nspname, c.relname) as name
  from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
  join pg_catalog.pg_class c on c.oid = selected.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where not c.relispartition
    and not exists (
      select
      from pg_catalog.pg_constraint con
      where con.conrelid = c.oid
        and con.contype = 'p'
    )
),
leaves as (
  select
    t.oid,
    pg_catalog.array_agg(
      pg_catalog.format('%%I.%%I', n.nspname, c.relname) order by n.nspname, c.relname
    ) as names,
    pg_catalog.bool_and(exists (
      select
      from pg_catalog.pg_constraint con
      where con.conrelid = c.oid
        and con.contype = 'p'
    )) as all_keyed
  from tables t
  cross join lateral pg_catalog.pg_partition_tree(
    case when t.relkind = 'p' then t.oid end::pg_catalog.regclass
  ) leaf
  join pg_catalog.pg_class c on c.oid = leaf.relid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where leaf.isleaf
    and leaf.level > 0
  group by t.oid
),
unique_keys as (
  select distinct on (t.oid)
    t.oid,
    i.indexrelid,
    pg_catalog.format('%%I.%%I', n.nspname, ic.relname) as index_name,
    con.conname,
    t.relkind = 'r' and con.oid is null and k.plain as usable_as_it_is,
    k.columns,
    k.list,
    k.included
  from tables t
  join pg_catalog.pg_index i on i.indrelid = t.oid
  join pg_catalog.pg_class ic on ic.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = ic.relnamespace
  left join pg_catalog.pg_constraint con
    on con.conindid = i.indexrelid
    and con.conrelid = t.oid
    and con.contype = 'u'
  cross join lateral (
    select
      pg_catalog.array_agg(a.attname::text order by key.position) filter (where key.position <= i.indnkeyatts)
        as columns,
      pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by key.position)
        filter (where key.position <= i.indnkeyatts) as list,
      pg_catalog.array_agg(a.attname::text order by key.position) filter (where key.position > i.indnkeyatts)
        as included,
      pg_catalog.bool_and(a.attnotnull) filter (where key.position <= i.indnkeyatts) as no_nulls,
      pg_catalog.bool_and(
        key.position > i.indnkeyatts
        or (key.option = 0 and op.opcdefault and key.collation_oid in (0, a.attcollation))
      ) as plain
    from rows from (
      pg_catalog.unnest(i.indkey::int2[]),
      pg_catalog.unnest(i.indclass::oid[]),
      pg_catalog.unnest(i.indcollation::oid[]),
      pg_catalog.unnest(i.indoption::int2[])
    ) with ordinality as key(attnum, opclass, collation_oid, option, position)
    join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = key.attnum
    left join pg_catalog.pg_opclass op on op.oid = key.opclass
  ) k
  where i.indisunique
    and i.indisvalid
    and i.indimmediate
    and i.indpred is null
    and i.indexprs is null
    and k.no_nulls
  order by t.oid, i.indisreplident desc, con.oid is null, i.indnkeyatts, ic.relname
),
references_to as (
  select
    u.oid,
    pg_catalog.string_agg(
      pg_catalog.format(E'alter table %%I.%%I drop constraint %%I;\n', n.nspname, c.relname, con.conname), ''
      order by n.nspname, c.relname, con.conname
    ) as drops,
    pg_catalog.string_agg(
      pg_catalog.format(
        E'\nalter table %%I.%%I add constraint %%I %%s;',
        n.nspname, c.relname, con.conname, pg_catalog.pg_get_constraintdef(con.oid)
      ), ''
      order by n.nspname, c.relname, con.conname
    ) as adds
  from unique_keys u
  join pg_catalog.pg_constraint con
    on con.conindid = u.indexrelid
    and con.contype = 'f'
    and con.conparentid = 0
  join pg_catalog.pg_class c on c.oid = con.conrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  group by u.oid
),
distinct_columns as (
  select distinct on (t.oid) t.oid, a.attname::text as column_name
  from tables t
  join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  join pg_catalog.pg_stats s
    on s.schemaname = t.nspname
    and s.tablename = t.relname
    and s.attname = a.attname
    and not s.inherited
  where t.relkind = 'r'
    and t.reltuples >= 10
    and s.n_distinct = -1
    and s.null_frac = 0
    and pg_catalog.format_type(a.atttypid, null) in ('smallint', 'integer', 'bigint', 'uuid')
    and pg_catalog.lower(a.attname) in (
      'id', 'uuid', 'guid', 'key', pg_catalog.lower(t.relname) || '_id', pg_catalog.lower(t.relname) || 'id',
      pg_catalog.rtrim(pg_catalog.lower(t.relname), 's') || '_id',
      pg_catalog.rtrim(pg_catalog.lower(t.relname), 's') || 'id'
    )
  order by t.oid, a.attnum
),
linking_columns as (
  select t.oid, pg_catalog.array_agg(distinct a.attname::text) as columns
  from tables t
  join pg_catalog.pg_constraint con on con.conrelid = t.oid and con.contype = 'f' and con.conparentid = 0
  cross join lateral pg_catalog.unnest(con.conkey) as key(attnum)
  join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = key.attnum
  group by t.oid
  having pg_catalog.count(distinct con.conkey) > 1
),
partition_keys as (
  select
    t.oid,
    pg_catalog.bool_or(key.attnum = 0) as has_expression,
    pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by key.position) as list
  from tables t
  join pg_catalog.pg_partitioned_table p on p.partrelid = t.oid
  cross join lateral pg_catalog.unnest(p.partattrs::int2[]) with ordinality as key(attnum, position)
  left join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = key.attnum and key.attnum > 0
  group by t.oid
),
new_columns as (
  select distinct on (t.oid)
    t.oid,
    free.name as column_name,
    case
      when t.relkind = 'p' and pg_catalog.current_setting('server_version_num')::int < 170000 then 'bigserial'
      else 'bigint generated always as identity'
    end as type
  from tables t
  cross join lateral (
    select *
    from (
      values
        ('id', 1), (pg_catalog.left(t.relname, 40) || '_id', 2), ('row_id', 3), ('surrogate_key', 4),
        ('key_' || pg_catalog.md5(t.name), 5)
    ) as candidate(name, rank)
  ) as free
  where not exists (
    select
    from pg_catalog.pg_attribute a
    where a.attrelid = t.oid
      and a.attname = free.name
      and not a.attisdropped
  )
  order by t.oid, free.rank
)
select
  'missing_primary_key' as "check",
  case when u.oid is null then 'warn' else 'info' end as severity,
  t.name as object,
  case
    when u.oid is null then pg_catalog.format('%%s has no primary key', t.name)
    else pg_catalog.format(
      '%%s has no primary key, though (%%s) is unique and never null',
      t.name,
      u.list
    )
  end as title,
  'Without a primary key nothing tells one row from another: duplicates cannot be refused, a single '
  'row cannot be updated or deleted for sure, no foreign key can reference the table by default, and '
  'logical replication refuses its updates and deletes unless another replica identity is set. '
  'Source: PostgreSQL manual, 5.5.4 Primary Keys, 29.1 Publication.' as why,
  case
    when u.usable_as_it_is and r.oid is null then
      pg_catalog.format(
        'alter table %%s add primary key using index %%I;',
        t.name, (select ic.relname from pg_catalog.pg_class ic where ic.oid = u.indexrelid)
      )
    when u.oid is not null then
      coalesce(r.drops, '')
      || case
        when u.conname is null then
          pg_catalog.format(E'drop index %%s;\nalter table %%s add primary key', u.index_name, t.name)
        else
          pg_catalog.format(
            'alter table %%s drop constraint %%I, add constraint %%I primary key',
            t.name, u.conname, u.conname
          )
      end
      || pg_catalog.format(
        ' (%%s)',
        u.list
      )
      || coalesce(
        ' include ('
        || (
          select pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ' order by p)
          from pg_catalog.unnest(u.included) with ordinality as x(c, p)
        )
        || ')', ''
      )
      || ';'
      || coalesce(r.adds, '')
    when d.oid is not null then
      pg_catalog.format('alter table %%s add primary key (%%I);', t.name, d.column_name)
    when p.has_expression then
      pg_catalog.format('alter table %%s add column %%I %%s;', t.name, n.column_name, n.type)
      || (
        select pg_catalog.string_agg(
          pg_catalog.format(E'\nalter table %%s add primary key (%%I);', leaf.name, n.column_name), ''
          order by leaf.position
        )
        from pg_catalog.unnest(l.names) with ordinality as leaf(name, position)
      )
    when t.relkind = 'p' then
      pg_catalog.format(
        'alter table %%s add column %%I %%s, add primary key (%%I, %%s);',
        t.name, n.column_name, n.type, n.column_name,
        p.list
      )
    else
      pg_catalog.format('alter table %%s add column %%I %%s primary key;', t.name, n.column_name, n.type)
  end as fix,
  pg_catalog.jsonb_build_object(
    'schema', t.nspname,
    'table', t.relname,
    'columns', coalesce(u.columns, array[coalesce(d.column_name, n.column_name)]),
    'key', case when u.oid is not null then 'unique' when d.oid is not null then 'distinct' else 'new' end,
    'linking_columns', case when u.oid is null and d.oid is null and t.relkind = 'r' then lc.columns end,
    'rows_estimated', nullif(t.reltuples, -1)
  ) as details
from tables t
left join leaves l on l.oid = t.oid
left join unique_keys u on u.oid = t.oid
left join references_to r on r.oid = t.oid
left join distinct_columns d on d.oid = t.oid
left join linking_columns lc on lc.oid = t.oid
left join partition_keys p on p.oid = t.oid
left join new_columns n on n.oid = t.oid
where l.all_keyed is not true
order by t.name;
