-- reader: reads the trail, verifies it and seals it; changes nothing
grant usage on schema {audit} to {reader};

grant select on {audit}.log, {audit}.watched, {audit}.seals, {audit}.seal_months, {audit}.retired, {audit}.entry_hashes
to {reader};

grant execute on function
    {audit}.seal(), {audit}.verify(), {audit}.as_of(regclass, timestamptz, jsonb), {audit}.key_of(oid),
    {audit}.seal_hash(bigint, timestamptz, xid8, xid8, bigint, bytea, text)
to {reader};
