-- partition_bounds: the beginnings of equal parts of time that hold both moments, one more at the end
-- needs: PostgreSQL 13   parameters: least timestamp, greatest timestamp, unit text, step interval
select s.bound::text as bound
from pg_catalog.generate_series(
  pg_catalog.date_trunc(%(unit)s, %(least)s::timestamp),
  pg_catalog.date_trunc(%(unit)s, %(greatest)s::timestamp) + %(step)s::interval,
  %(step)s::interval
) as s(bound)
order by s.bound;
