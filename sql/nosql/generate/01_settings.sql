-- settings: from which seed, and which moment counts as now   parameters: seed integer, moment timestamptz
-- Nothing here asks for the clock or for random(): the same shop, seed and moment give the same documents.
set local timezone = 'UTC';

set local work_mem = '128MB';

create temporary table settings on commit drop as
select
    given.seed::bigint * 1000 as stream,
    date_trunc('milliseconds', given.moment::timestamptz) as moment,
    (select date_trunc('milliseconds', max(o.created_at)) from shop.orders o) as last_order_at,
    (select date_trunc('milliseconds', min(o.created_at)) from shop.orders o) as first_order_at,
    interval '80 days' as played_in
from (select %(seed)s::integer as seed, %(moment)s::timestamptz as moment) given;

create or replace function pg_temp.chance(key uuid, stream bigint)
returns float8
language sql
immutable
return (pg_catalog.uuid_hash_extended(key, stream) & 4503599627370495)::float8 / 4503599627370496.0;

comment on function pg_temp.chance(uuid, bigint) is
    'The same number at least 0 and below 1 for the same arguments, spread evenly; each stream is '
    'independent of the others.';

create or replace function pg_temp.derived_uuid(name text)
returns uuid
language sql
immutable
return overlay(overlay(pg_catalog.md5(name) placing '8' from 13) placing '8' from 17)::uuid;

comment on function pg_temp.derived_uuid(text) is
    'A UUID of version 8 that follows from the name (RFC 9562, section 5.8).';

create or replace function pg_temp.extended_date(at timestamptz)
returns jsonb
language sql
stable
return pg_catalog.jsonb_build_object(
    '$date', pg_catalog.to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
);

create or replace function pg_temp.extended_decimal(amount numeric)
returns jsonb
language sql
immutable
return pg_catalog.jsonb_build_object('$numberDecimal', amount::text);

create or replace function pg_temp.extended_uuid(key uuid)
returns jsonb
language sql
immutable
return pg_catalog.jsonb_build_object('$uuid', key::text);
