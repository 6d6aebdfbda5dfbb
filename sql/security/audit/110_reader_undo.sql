-- reader: what a reader of the trail had
revoke execute on function
    {audit}.seal(), {audit}.verify(), {audit}.as_of(regclass, timestamptz, jsonb), {audit}.key_of(oid),
    {audit}.seal_hash(bigint, timestamptz, xid8, xid8, bigint, bytea, text)
from {reader};

revoke select on {audit}.log, {audit}.watched, {audit}.seals, {audit}.seal_months, {audit}.retired, {audit}.entry_hashes
from {reader};

revoke usage on schema {audit} from {reader};
