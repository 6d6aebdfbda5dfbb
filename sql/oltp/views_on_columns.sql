-- views_on_columns: what must be dropped before a column's type can change, and how to create it again
-- views of the table's own owner are created by whoever runs the fix, which the owner does
-- needs: PostgreSQL 13   parameters: columns jsonb
-- the parameter is a list of {"key": number, "columns": [[schema, table, column], …]}; a key with no views
-- has no row
with recursive asked as (
  select (entry.value ->> 'key')::int as key, c.oid as relid, a.attnum, c.relowner
  from pg_catalog.jsonb_array_elements(%(columns)s::jsonb) as entry(value)
  cross join lateral pg_catalog.jsonb_array_elements(entry.value -> 'columns') as name(parts)
  join pg_catalog.pg_namespace n on n.nspname = name.parts ->> 0
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = name.parts ->> 1
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = name.parts ->> 2
),
uses as (
  select distinct d.refobjid as relid, d.refobjsubid as attnum, r.ev_class as view
  from pg_catalog.pg_depend d
  join pg_catalog.pg_rewrite r on r.oid = d.objid
  where d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and r.ev_class <> d.refobjid
),
dependents as (
  select a.key, u.view, a.relowner as table_owner, 1 as depth
  from asked a
  join uses u on u.relid = a.relid and u.attnum = a.attnum
  union
  select d.key, u.view, d.table_owner, d.depth + 1
  from dependents d
  join uses u on u.relid = d.view
),
views as (
  select
    d.key,
    d.view,
    pg_catalog.max(d.depth) as depth,
    case c.relkind when 'm' then 'materialized view' else 'view' end as kind,
    pg_catalog.format('%%I.%%I', n.nspname, c.relname) as name,
    c.relowner,
    pg_catalog.bool_and(d.table_owner = c.relowner) as same_owner,
    c.relkind,
    c.relacl,
    c.relispopulated,
    c.reloptions
  from dependents d
  join pg_catalog.pg_class c on c.oid = d.view
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  group by
    d.key, d.view, c.relkind, n.nspname, c.relname, c.relowner, c.relacl, c.relispopulated, c.reloptions
),
recreated as (
  select
    v.key,
    v.depth,
    v.name,
    pg_catalog.format('drop %%s %%s;', v.kind, v.name) as drops,
    pg_catalog.format('create %%s %%s', v.kind, v.name)
    || coalesce(' with (' || pg_catalog.array_to_string(v.reloptions, ', ') || ')', '')
    || E' as\n'
    || pg_catalog.rtrim(pg_catalog.pg_get_viewdef(v.view), E'; \n')
    || case when v.relkind = 'm' and not v.relispopulated then E'\nwith no data' else '' end
    || ';'
    || case
      when v.same_owner then ''
      else
        pg_catalog.format(
          E'\nalter %%s %%s owner to %%I;', v.kind, v.name, pg_catalog.pg_get_userbyid(v.relowner)
        )
    end
    || coalesce((
      select pg_catalog.string_agg(
        pg_catalog.format(
          E'\ngrant %%s on %%s to %%s%%s;',
          pg_catalog.lower(acl.privilege_type), v.name,
          case
            when acl.grantee = 0 then 'public'
            else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(acl.grantee))
          end,
          case when acl.is_grantable then ' with grant option' else '' end
        ), '' order by acl.grantee, acl.privilege_type
      )
      from pg_catalog.aclexplode(v.relacl) acl
      where acl.grantee <> v.relowner
    ), '')
    || coalesce((
      select
        pg_catalog.string_agg(
          E'\n' || pg_catalog.pg_get_indexdef(i.indexrelid) || ';', '' order by i.indexrelid
        )
      from pg_catalog.pg_index i
      where i.indrelid = v.view
    ), '')
    || coalesce((
      select pg_catalog.string_agg(
        case
          when d.objsubid = 0 then
            pg_catalog.format(E'\ncomment on %%s %%s is %%L;', v.kind, v.name, d.description)
          else pg_catalog.format(E'\ncomment on column %%s.%%I is %%L;', v.name, a.attname, d.description)
        end, '' order by d.objsubid
      )
      from pg_catalog.pg_description d
      left join pg_catalog.pg_attribute a on a.attrelid = v.view and a.attnum = d.objsubid
      where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
        and d.objoid = v.view
    ), '') as creates
  from views v
)
select
  r.key,
  pg_catalog.count(*) as views,
  pg_catalog.string_agg(r.drops, E'\n' order by r.depth desc, r.name) as drops,
  pg_catalog.string_agg(r.creates, E'\n' order by r.depth, r.name) as creates
from recreated r
group by r.key
order by r.key;
