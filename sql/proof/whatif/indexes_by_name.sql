-- indexes_by_name: the candidates just made, whose names no other relation has
-- needs: PostgreSQL 18   parameters: names text[]
select c.oid, c.relname as name
from pg_catalog.pg_class c
where c.relname = any (%(names)s::text[])
  and c.relkind in ('i', 'I')
order by c.oid;
