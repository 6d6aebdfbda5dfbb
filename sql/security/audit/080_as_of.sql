-- as_of: the rows of a table as they were, from the rows of today and the entries since, the newest undone first
create or replace function {audit}.as_of(relation regclass, moment timestamptz, record_key jsonb default null)
returns table (key jsonb, record jsonb, redacted_columns text[])
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO'
set intervalstyle = 'postgres'
set timezone = 'UTC'
set extra_float_digits = 1
set bytea_output = 'hex'
set lc_monetary = 'C'
set row_security = off
as $body$
#variable_conflict use_column
declare
    key_columns text[] := (select k.key_columns from {audit}.key_of(relation) k);
    arguments bytea := (
        select g.tgargs
        from pg_trigger g
        where g.tgrelid = relation
            and g.tgname in ('audit_delete', 'audit_row')
        order by g.tgname
        limit 1
    );
    hidden text[] := '{{}}';
    -- what is computed when it is read follows from the rest
    computed text[] := array(
        select a.attname::text
        from pg_attribute a
        where a.attrelid = relation
            and a.attgenerated = 'v'
            and not a.attisdropped
    );
    emptied timestamptz;
begin
    select min(l.recorded_at) into emptied
    from {audit}.log l
    where l.relation_id = relation
        and l.recorded_at > moment
        and l.action = 'T'
        and l.old_values is null;
    if emptied is not null then
        raise exception '% was truncated at %, and the rows that it held were not logged: it is known from then on only',
            relation, emptied
            using errcode = 'no_data_found',
            hint = 'With truncation by rows the trail keeps the rows of a TRUNCATE.';
    end if;
    if arguments is not null then
        hidden := (
            select coalesce(array_agg(c.name), '{{}}')
            from string_to_table(encode(arguments, 'escape'), '\000') with ordinality a (part, position)
            cross join unnest(a.part::text[]) c (name)
            where a.position <= 2
        );
    end if;
    if key_columns is null then
        return query execute format(
            $query$
            with net as (
                select e.record, sum(e.change) as copies
                from (
                    select to_jsonb(t) - $4 as record, 1 as change from %1$s t
                    union all
                    select l.record_key, case l.action when 'D' then 1 when 'I' then -1 end
                    from {audit}.log l
                    where l.relation_id = $1
                        and l.recorded_at > $2
                        and l.action in ('D', 'I')
                ) e
                group by e.record
            )
            select n.record, n.record, nullif($4, '{{}}')
            from net n
            cross join generate_series(1, n.copies)
            where $3 is null
                or n.record = $3
            order by n.record
            $query$, relation
        )
        using relation::oid, moment, record_key, hidden;
        return;
    end if;
    return query execute format(
        $query$
        with entries as (
            select l.entry_id, l.action, l.record_key, l.old_values, l.redacted_columns
            from {audit}.log l
            where l.relation_id = $1
                and l.recorded_at > $2
                and l.action <> 'T'
                and ($3 is null or l.record_key = $3)
        ),
        live as (
            select k.record_key, r.record
            from (select to_jsonb(t) - $5 as record from %1$s t offset 0) r
            cross join lateral (
                select jsonb_object_agg(c.name, r.record -> c.name) as record_key
                from unnest($4::text[]) c (name)
            ) k
            where $3 is null
                or k.record_key = $3
        ),
        changes as (
            select e.record_key, sum(case e.action when 'D' then 1 when 'I' then -1 else 0 end) as net
            from entries e
            group by e.record_key
        ),
        existing as (
            select coalesce(v.record_key, c.record_key) as record_key, v.record
            from live v
            full join changes c on c.record_key = v.record_key
            where (v.record_key is not null)::int + coalesce(c.net, 0) > 0
        ),
        -- of each column what the first entry since says; it is what was then
        past as (
            select distinct on (e.record_key, o.name) e.record_key, o.name, o.value, o.redacted
            from entries e
            cross join lateral (
                select v.key as name, v.value, false as redacted
                from jsonb_each(e.old_values) v
                union all
                select r.name, null, true
                from unnest(e.redacted_columns) r (name)
            ) o
            order by e.record_key, o.name, e.entry_id
        ),
        merged as (
            select
                p.record_key,
                coalesce(jsonb_object_agg(p.name, p.value) filter (where not p.redacted), '{{}}') as old_values,
                array_agg(p.name order by p.name) filter (where p.redacted) as redacted_columns
            from past p
            group by p.record_key
        )
        select
            x.record_key,
            (coalesce(x.record, '{{}}') || coalesce(m.old_values, '{{}}')) - coalesce(m.redacted_columns, '{{}}'),
            m.redacted_columns
        from existing x
        left join merged m on m.record_key = x.record_key
        order by x.record_key
        $query$, relation
    )
    using relation::oid, moment, record_key, key_columns, computed;
end
$body$;

comment on function {audit}.as_of(regclass, timestamptz, jsonb) is
    'The rows of a table at a time, or the one of a key. Runs with the rights of who asks, who must see all rows.';

alter function {audit}.as_of(regclass, timestamptz, jsonb) owner to {owner};
