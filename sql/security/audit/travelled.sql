-- travelled: of the rows kept aside at a moment, how many the trail gives back exactly as they were
-- parameters: moment timestamptz, key text[]
with travelled as (
  select t.key, t.record - coalesce(t.redacted_columns, '{{}}') as record
  from {audit}.as_of({relation}, %(moment)s) t
),
kept as (
  select
    pg_catalog.to_jsonb(k) as record,
    (
      select pg_catalog.jsonb_object_agg(c.name, pg_catalog.to_jsonb(k) -> c.name)
      from pg_catalog.unnest(%(key)s::text[]) c (name)
    ) as key
  from {kept} k
)
select
  (select pg_catalog.count(*) from kept) as kept,
  (select pg_catalog.count(*) from travelled) as travelled,
  (
    select pg_catalog.count(*)
    from travelled t
    join kept k on k.key = t.key
    where not exists (
      select
      from pg_catalog.jsonb_each(t.record) e
      where k.record -> e.key is distinct from e.value
    )
  ) as equal;
