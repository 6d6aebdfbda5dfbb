-- plain_casts: the casts that change nothing of a value, which an index is used through all the same
-- needs: PostgreSQL 13
select
  pg_catalog.format_type(c.castsource, null) as source,
  pg_catalog.format_type(c.casttarget, null) as target
from pg_catalog.pg_cast c
where c.castmethod = 'b'
order by 1, 2;
