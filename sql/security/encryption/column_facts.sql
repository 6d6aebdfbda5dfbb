-- column_facts: a column to encrypt, its table's primary key in key order, and what else holds its values
select
    c.relkind::text as kind,
    a.attnotnull as not_null,
    pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
    a.attgenerated <> '' as generated,
    coalesce(
        (
            select pg_catalog.array_agg(k.attname::text order by p.place)
            from pg_catalog.pg_constraint pk
            cross join lateral pg_catalog.unnest(pk.conkey) with ordinality as p (attnum, place)
            join pg_catalog.pg_attribute k on k.attrelid = c.oid and k.attnum = p.attnum
            where pk.conrelid = c.oid
              and pk.contype = 'p'
        ),
        '{}'
    ) as key_columns,
    coalesce(
        (
            select pg_catalog.array_agg(i.indexrelid::regclass::text order by i.indexrelid::regclass::text)
            from pg_catalog.pg_index i
            where i.indrelid = c.oid
              and a.attnum = any (i.indkey::int2[])
        ),
        '{}'
    ) as indexes,
    coalesce(
        (
            select pg_catalog.array_agg(
                pg_catalog.quote_ident(con.conname) || ' ' || pg_catalog.pg_get_constraintdef(con.oid)
                order by con.conname
            )
            from pg_catalog.pg_constraint con
            where con.conrelid = c.oid
              and a.attnum = any (con.conkey)
              and con.contype <> 'n'
        ),
        '{}'
    ) as constraints,
    coalesce(
        (
            select pg_catalog.array_agg(o.attname::text)
            from pg_catalog.pg_attribute o
            where o.attrelid = c.oid
              and o.attnum > 0
              and not o.attisdropped
        ),
        '{}'
    ) as columns
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid
where n.nspname = %(schema)s
  and c.relname = %(table)s
  and a.attname = %(column)s
  and a.attnum > 0
  and not a.attisdropped;
