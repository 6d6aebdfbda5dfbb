-- statistics: what the planner keeps of the values, as a superuser reads it
select s::text
from pg_catalog.pg_stats s
where s.schemaname not in ('pg_catalog', 'information_schema')
union all
select e::text
from pg_catalog.pg_stats_ext e;
