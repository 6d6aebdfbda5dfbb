-- reader: what a reader of the trail had
revoke execute on function
    {audit}.seal(), {audit}.as_of(regclass, timestamptz, jsonb), {audit}.key_of(oid)
from {reader};

revoke select on {audit}.log, {audit}.watched, {audit}.seals, {audit}.seal_months, {audit}.retired
from {reader};

revoke usage on schema {audit} from {reader};
