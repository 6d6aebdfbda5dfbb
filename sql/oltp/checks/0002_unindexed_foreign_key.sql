-- unindexed_foreign_key: foreign keys that no index covers
-- level: warn   needs: PostgreSQL 13   parameters: tables oid[]
-- near miss: the columns lead a composite or primary key in any order; a partial index WHERE fk IS NOT NULL;
-- a unique index on some of the columns; an index led by the columns that reference a unique key of their
-- own; a GiST index of an exclusion constraint; every partition has the index though its parent has none; a
-- key that is NOT ENFORCED or temporal; a key whose types differ so that no index could serve it
-- no near miss: an invalid index, another collation, a BRIN index, a hash index on one of several columns,
-- another predicate, the columns behind others
-- one finding for all keys on the same columns of a table or of its partitions
with recursive bases as (
  select t.oid as type, t.typbasetype as base
  from pg_catalog.pg_type t
  where t.typtype = 'd'
  union all
  select b.type, t.typbasetype
  from bases b
  join pg_catalog.pg_type t on t.oid = b.base and t.typtype = 'd'
),
base_types as (
  select b.type, b.base
  from bases b
  join pg_catalog.pg_type t on t.oid = b.base and t.typtype <> 'd'
),
keys as (
  select
    con.oid as key,
    con.conname,
    con.conrelid,
    con.confrelid,
    con.confkey,
    c.relkind,
    c.reltuples,
    coalesce(pg_catalog.pg_partition_root(con.conrelid), con.conrelid)::oid as root,
    f.columns,
    f.operators,
    f.referenced_columns,
    f.referenced_types
  from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
  join pg_catalog.pg_constraint con on con.conrelid = selected.oid
  join pg_catalog.pg_class c on c.oid = con.conrelid
  cross join lateral (
    select
      pg_catalog.array_agg(a.attname::text order by k.position) as columns,
      pg_catalog.array_agg(k.operator order by k.position) as operators,
      pg_catalog.array_agg(ra.attname::text order by k.position) as referenced_columns,
      pg_catalog.array_agg(pg_catalog.format_type(ra.atttypid, ra.atttypmod) order by k.position)
        as referenced_types,
      pg_catalog.bool_or(exists (
        select
        from pg_catalog.pg_operator o
        join pg_catalog.pg_cast cast_needed on cast_needed.casttarget = o.oprright
        left join base_types b on b.type = a.atttypid
        where o.oid = k.operator
          and cast_needed.castsource = coalesce(b.base, a.atttypid)
          and cast_needed.castsource <> o.oprright
          and cast_needed.castmethod <> 'b'
      )) as needs_a_cast
    from rows from (
      pg_catalog.unnest(con.conkey),
      pg_catalog.unnest(con.confkey),
      pg_catalog.unnest(con.conpfeqop)
    )
      with ordinality as k(attnum, referenced, operator, position)
    join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = k.attnum
    join pg_catalog.pg_attribute ra on ra.attrelid = con.confrelid and ra.attnum = k.referenced
  ) f
  where con.contype = 'f'
    and con.conparentid = 0
    and coalesce((pg_catalog.to_jsonb(con) ->> 'conenforced')::boolean, true) -- from PostgreSQL 18
    and not coalesce((pg_catalog.to_jsonb(con) ->> 'conperiod')::boolean, false) -- from PostgreSQL 18
    and not f.needs_a_cast
),
members as (
  select k.key, k.columns, k.operators, k.confrelid, k.confkey, leaf.relid::oid as relation
  from keys k
  cross join lateral pg_catalog.pg_partition_tree(
    case when k.relkind = 'p' then k.conrelid end::pg_catalog.regclass
  ) leaf
  join pg_catalog.pg_class c on c.oid = leaf.relid and c.relkind = 'r'
  where leaf.isleaf
    and leaf.level > 0
  union all
  select k.key, k.columns, k.operators, k.confrelid, k.confkey, k.conrelid
  from keys k
  where k.relkind = 'r'
    or not exists (select from pg_catalog.pg_inherits i where i.inhparent = k.conrelid)
),
matches as (
  select
    m.key,
    m.relation,
    case
      when i.indisunique and fit.matched = i.indnkeyatts then true
      when exists (
        select
        from pg_catalog.pg_index u
        where u.indrelid = m.confrelid
          and u.indisunique
          and u.indpred is null
          and u.indexprs is null
          and (u.indkey::int2[])[0:u.indnkeyatts - 1] <@ fit.leading_referenced
      ) then true
      when fit.matched < pg_catalog.cardinality(m.columns) then false
      when am.amname = 'gin' then true
      else fit.last_position = pg_catalog.cardinality(m.columns)
    end as covers,
    fit.first_position = 1 as leads,
    ic.relname as index_name
  from members m
  join pg_catalog.pg_index i on i.indrelid = m.relation and i.indisvalid and i.indisready and i.indislive
  join pg_catalog.pg_class ic on ic.oid = i.indexrelid
  join pg_catalog.pg_am am on am.oid = ic.relam and am.amname in ('btree', 'hash', 'gist', 'spgist', 'gin')
  cross join lateral (
    select
      pg_catalog.count(*) as matched,
      pg_catalog.min(matched.position) as first_position,
      pg_catalog.max(matched.position) as last_position,
      pg_catalog.array_agg(matched.referenced) filter (where matched.position = matched.rank)
        as leading_referenced
    from (
      select p.position, f.referenced, pg_catalog.row_number() over (order by p.position) as rank
      from rows from (
        pg_catalog.unnest(m.columns),
        pg_catalog.unnest(m.operators),
        pg_catalog.unnest(m.confkey)
      ) as f(name, operator, referenced)
      join pg_catalog.pg_attribute a on a.attrelid = m.relation and a.attname = f.name
      join rows from (
        pg_catalog.unnest(i.indkey::int2[]),
        pg_catalog.unnest(i.indclass::oid[]),
        pg_catalog.unnest(i.indcollation::oid[])
      )
        with ordinality as p(attnum, opclass, collation_oid, position)
        on p.attnum = a.attnum
        and p.position <= i.indnkeyatts
      join pg_catalog.pg_opclass op on op.oid = p.opclass
      join pg_catalog.pg_operator o on o.oid = f.operator
      where p.collation_oid in (0, a.attcollation)
        and exists (
          select
          from pg_catalog.pg_amop ao
          where ao.amopfamily = op.opcfamily
            and ao.amopopr in (o.oid, o.oprcom)
        )
    ) matched
  ) fit
  where fit.matched > 0
    and (
      i.indpred is null
      or pg_catalog.btrim(
        (
          select pg_catalog.string_agg(part, '' order by position)
          from pg_catalog.unnest(
            pg_catalog.string_to_array(pg_catalog.pg_get_expr(i.indpred, i.indrelid), ' AND ')
          ) with ordinality as conjunct(part, position)
          where pg_catalog.btrim(part, '()') not in (
            select pg_catalog.quote_ident(name) || ' IS NOT NULL'
            from pg_catalog.unnest(m.columns) as f(name)
          )
        ), '() '
      ) is null
    )
),
uncovered as (
  select
    m.key,
    pg_catalog.array_agg(
      pg_catalog.format('%%I.%%I', n.nspname, c.relname) order by n.nspname, c.relname
    ) as relations,
    pg_catalog.min(partial.index_name) as partial_index
  from members m
  join pg_catalog.pg_class c on c.oid = m.relation
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join lateral (
    select pg_catalog.min(x.index_name) as index_name
    from matches x
    where x.key = m.key
      and x.relation = m.relation
      and x.leads
  ) partial on true
  where not exists (
    select
    from matches x
    where x.key = m.key
      and x.relation = m.relation
      and x.covers
  )
  group by m.key
),
candidates as (
  select k.*, u.relations, u.partial_index
  from keys k
  join uncovered u on u.key = k.key
),
absorbed as (
  select narrow.key, pg_catalog.min(wide.columns) as columns
  from candidates narrow
  join candidates wide
    on wide.conrelid = narrow.conrelid
    and pg_catalog.cardinality(wide.columns) > pg_catalog.cardinality(narrow.columns)
    and wide.columns[1:pg_catalog.cardinality(narrow.columns)] = narrow.columns
    and not exists (
      select
      from candidates wider
      where wider.conrelid = wide.conrelid
        and pg_catalog.cardinality(wider.columns) > pg_catalog.cardinality(wide.columns)
        and wider.columns[1:pg_catalog.cardinality(wide.columns)] = wide.columns
    )
  group by narrow.key
),
placed as (
  select c.*, coalesce(a.columns, c.columns) as index_columns, a.key is null as leading
  from candidates c
  left join absorbed a on a.key = c.key
),
grouped as (
  select
    p.root,
    p.index_columns,
    pg_catalog.min(p.conrelid) as some_table,
    pg_catalog.count(distinct p.conrelid) as tables,
    pg_catalog.min(p.conname::text) filter (where p.leading) as constraint_name,
    pg_catalog.array_agg(distinct p.conname::text) as constraints,
    pg_catalog.min(p.partial_index) filter (where p.leading) as partial_index,
    pg_catalog.bool_or(p.relkind = 'p') as partitioned,
    pg_catalog.sum(p.reltuples) filter (where p.reltuples >= 0) as rows_estimated,
    (
      pg_catalog.array_agg(p.referenced_columns::text order by p.conrelid, p.conname) filter (where p.leading)
    )[1]::text[] as referenced_columns,
    (
      pg_catalog.array_agg(p.referenced_types::text order by p.conrelid, p.conname) filter (where p.leading)
    )[1]::text[] as referenced_types,
    (
      pg_catalog.array_agg(p.confrelid order by p.conrelid, p.conname) filter (where p.leading)
    )[1] as confrelid,
    (
      select pg_catalog.array_agg(distinct relation)
      from pg_catalog.unnest(pg_catalog.string_to_array(
        pg_catalog.string_agg(pg_catalog.array_to_string(p.relations, E'\x01'), E'\x01'), E'\x01'
      )) as u(relation)
    ) as relations
  from placed p
  group by p.root, p.index_columns
)
select
  'unindexed_foreign_key' as "check",
  case when g.partial_index is null then 'warn' else 'info' end as severity,
  pg_catalog.format('%%I.%%I.', n.nspname, c.relname)
  || case when g.tables = 1 then pg_catalog.quote_ident(g.constraint_name) else x.part end as object,
  case
    when g.partial_index is null then
      pg_catalog.format(
        'no index covers the foreign key %%I.%%I (%%s) to %%I.%%I',
        n.nspname, c.relname, x.list, rn.nspname, rc.relname
      )
    else
      pg_catalog.format(
        'an index (%%I) covers only a part of the foreign key %%I.%%I (%%s) to %%I.%%I',
        g.partial_index, n.nspname, c.relname, x.list, rn.nspname, rc.relname
      )
  end as title,
  'A delete, or an update of the key, in the referenced table searches the referencing table for '
  'rows: without an index it reads all of it, once for each row deleted, and joins along the key do '
  'the same. The index can be left out where the referenced rows are never deleted and never joined '
  'from. Source: PostgreSQL manual, 5.5.5 Foreign Keys.' as why,
  (
    select
      coalesce(
        pg_catalog.string_agg(
          pg_catalog.format('create index concurrently on %%s (%%s);', relation, x.list), E'\n'
          order by relation
        ) filter (
          where not (g.partitioned and relation = pg_catalog.format('%%I.%%I', n.nspname, c.relname))
        ),
        ''
      )
    from pg_catalog.unnest(g.relations) as u(relation)
  )
  || case
    when not g.partitioned then ''
    when g.relations = array[pg_catalog.format('%%I.%%I', n.nspname, c.relname)] then
      pg_catalog.format('create index on %%I.%%I (%%s);', n.nspname, c.relname, x.list)
    else
      pg_catalog.format(E'\ncreate index on %%I.%%I (%%s);', n.nspname, c.relname, x.list)
  end as fix,
  pg_catalog.jsonb_build_object(
    'schema', n.nspname,
    'table', c.relname,
    'columns', g.index_columns,
    'constraints', g.constraints,
    'uncovered', g.relations,
    'searched', case
      when g.partitioned then pg_catalog.format('%%I.%%I', n.nspname, c.relname)
      else g.relations[1]
    end,
    'referenced_schema', rn.nspname,
    'referenced_table', rc.relname,
    'referenced_columns', g.referenced_columns,
    'referenced_types', g.referenced_types,
    'partial_index', g.partial_index,
    'rows_estimated', g.rows_estimated
  ) as details
from grouped g
join pg_catalog.pg_class c on c.oid = case when g.tables = 1 then g.some_table else g.root end
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_class rc on rc.oid = g.confrelid
join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
cross join lateral (
  select
    pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' order by position) as list,
    case
      when pg_catalog.count(*) = 1 then pg_catalog.min(pg_catalog.quote_ident(name))
      else '(' || pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' order by position) || ')'
    end as part
  from pg_catalog.unnest(g.index_columns) with ordinality as u(name, position)
) x
order by object;
