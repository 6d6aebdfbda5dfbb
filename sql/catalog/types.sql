-- types: the enums with their labels and the domains with their definition
-- needs: PostgreSQL 13   parameters: schemas oid[]
select
  n.nspname as schema,
  t.typname as name,
  case t.typtype when 'e' then 'enum' when 'd' then 'domain' end as kind,
  coalesce((
    select pg_catalog.array_agg(e.enumlabel::text order by e.enumsortorder)
    from pg_catalog.pg_enum e
    where e.enumtypid = t.oid
  ), '{}') as labels,
  case
    when t.typtype = 'd' then pg_catalog.concat_ws(
      ' ',
      pg_catalog.format_type(t.typbasetype, t.typtypmod),
      'COLLATE ' || pg_catalog.quote_ident(coll.collname),
      'DEFAULT ' || pg_catalog.pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::pg_catalog.regclass),
      case when t.typnotnull then 'NOT NULL' end,
      (
        select pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(con.oid), ' ' order by con.conname)
        from pg_catalog.pg_constraint con
        where con.contypid = t.oid
          and con.contype = 'c'
      )
    )
  end as definition
from pg_catalog.pg_type t
join pg_catalog.pg_namespace n on n.oid = t.typnamespace
left join pg_catalog.pg_type base on base.oid = t.typbasetype
left join pg_catalog.pg_collation coll on coll.oid = t.typcollation and t.typcollation <> base.typcollation
where t.typtype in ('e', 'd')
  and t.typnamespace = any(%(schemas)s::oid[])
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
      and d.objid = t.oid
      and d.deptype = 'e'
  )
order by n.nspname, t.typname;
