-- key_of: what tells the rows of a relation apart; no row where nothing does
create or replace function {audit}.key_of(relation oid)
returns table (key_columns text[], kept_columns text[])
language sql
stable
as $body$
    select
        (
            select pg_catalog.array_agg(a.attname::text order by k.position)
            from pg_catalog.unnest(i.indkey::smallint[]) with ordinality k (attnum, position)
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where k.position <= i.indnkeyatts
        ),
        (
            select pg_catalog.array_agg(a.attname::text order by a.attnum)
            from pg_catalog.pg_attribute a
            where a.attrelid = i.indrelid
                and a.attnum > 0
                and not a.attisdropped
        )
    from pg_catalog.pg_index i
    where i.indrelid = relation
        and i.indisunique
        and i.indimmediate
        and i.indisvalid
        and i.indpred is null
        and i.indexprs is null
        and not exists (
            select
            from pg_catalog.unnest(i.indkey::smallint[]) with ordinality k (attnum, position)
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where k.position <= i.indnkeyatts
                and not a.attnotnull
        )
    order by i.indisprimary desc, i.indexrelid
    limit 1
$body$;

comment on function {audit}.key_of(oid) is
    'Columns of the primary key, or of a unique index on columns that are never NULL, and all columns. '
    'A deferrable key is none, for two rows may have it at a time.';

alter function {audit}.key_of(oid) owner to {owner};
