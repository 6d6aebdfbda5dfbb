-- uuid-ossp by core functions: what the extension computes, except for version 5, which needs SHA-1
-- parameters: {prefix} the schema and its dot, or nothing
create or replace function {prefix}uuid_nil()
returns uuid language sql immutable parallel safe
as $$ select '00000000-0000-0000-0000-000000000000'::pg_catalog.uuid $$;

create or replace function {prefix}uuid_ns_dns()
returns uuid language sql immutable parallel safe
as $$ select '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid $$;

create or replace function {prefix}uuid_ns_url()
returns uuid language sql immutable parallel safe
as $$ select '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid $$;

create or replace function {prefix}uuid_ns_oid()
returns uuid language sql immutable parallel safe
as $$ select '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid $$;

create or replace function {prefix}uuid_ns_x500()
returns uuid language sql immutable parallel safe
as $$ select '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid $$;

create or replace function {prefix}uuid_generate_v4()
returns uuid language sql volatile parallel safe
as $$ select pg_catalog.gen_random_uuid() $$;

-- 100 ns since 1582-10-15, a random clock sequence and a random node with the multicast bit (RFC 4122, 4.1 and 4.5)
create or replace function {prefix}uuid_generate_v1()
returns uuid language sql volatile parallel safe
as $$
  select (
      pg_catalog.substr(ticks.hex, 9, 8) || pg_catalog.substr(ticks.hex, 5, 4) || '1' || pg_catalog.substr(ticks.hex, 2, 3)
      || pg_catalog.substr(random.hex, 17, 4) || pg_catalog.substr(random.hex, 21, 1)
      || pg_catalog.substr('13579bdf', 1 + (pg_catalog.get_byte(random.bytes, 0) & 7), 1) || pg_catalog.substr(random.hex, 23, 10)
    )::pg_catalog.uuid
  from (
      select pg_catalog.lpad(pg_catalog.to_hex(
          (extract(epoch from pg_catalog.clock_timestamp())::numeric * 10000000)::bigint + 122192928000000000
        ), 16, '0') as hex
    ) ticks,
    (select pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) as bytes) generated,
    lateral (select generated.bytes, pg_catalog.encode(generated.bytes, 'hex') as hex) random
$$;

create or replace function {prefix}uuid_generate_v1mc()
returns uuid language sql volatile parallel safe
as $$
  select (
      pg_catalog.substr(ticks.hex, 9, 8) || pg_catalog.substr(ticks.hex, 5, 4) || '1' || pg_catalog.substr(ticks.hex, 2, 3)
      || pg_catalog.substr(random.hex, 17, 4) || pg_catalog.substr(random.hex, 21, 1)
      || pg_catalog.substr('13579bdf', 1 + (pg_catalog.get_byte(random.bytes, 0) & 7), 1) || pg_catalog.substr(random.hex, 23, 10)
    )::pg_catalog.uuid
  from (
      select pg_catalog.lpad(pg_catalog.to_hex(
          (extract(epoch from pg_catalog.clock_timestamp())::numeric * 10000000)::bigint + 122192928000000000
        ), 16, '0') as hex
    ) ticks,
    (select pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) as bytes) generated,
    lateral (select generated.bytes, pg_catalog.encode(generated.bytes, 'hex') as hex) random
$$;

create or replace function {prefix}uuid_generate_v3(namespace uuid, name text)
returns uuid language sql immutable strict parallel safe
as $$
  select pg_catalog.encode(
      pg_catalog.set_byte(
        pg_catalog.set_byte(hash.bytes, 6, pg_catalog.get_byte(hash.bytes, 6) & 15 | 48),
        8, pg_catalog.get_byte(hash.bytes, 8) & 63 | 128
      ), 'hex')::pg_catalog.uuid
  from (
      select pg_catalog.decode(
          pg_catalog.md5(pg_catalog.uuid_send(namespace) || pg_catalog.convert_to(name, 'UTF8')), 'hex'
        ) as bytes
    ) hash
$$;

create or replace function {prefix}uuid_generate_v5(namespace uuid, name text)
returns uuid language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'uuid_generate_v5 needs SHA-1, which this engine has only with the extension uuid-ossp'
    using errcode = 'WB001';
end
$$;
