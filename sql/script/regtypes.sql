-- regtypes: the names of types as the server writes them, null where there is no such type
-- parameters: names text[]
select pg_catalog.format_type(pg_catalog.to_regtype(named.name)::oid, null) as name
from pg_catalog.unnest(%(names)s::text[]) with ordinality as named(name, position)
order by named.position;
