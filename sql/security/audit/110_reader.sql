-- reader: reads the trail, verifies it and seals it; changes nothing
grant usage on schema {audit} to {reader};

grant select on {audit}.log, {audit}.watched, {audit}.seals, {audit}.seal_months, {audit}.retired
to {reader};

grant execute on function
    {audit}.seal(), {audit}.as_of(regclass, timestamptz, jsonb), {audit}.key_of(oid)
to {reader};
