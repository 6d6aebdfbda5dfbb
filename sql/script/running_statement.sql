-- running_statement: what the sessions of a role run at this moment
-- parameters: role text
select activity.query
from pg_catalog.pg_stat_activity activity
where activity.usename = %(role)s
  and activity.state = 'active'
order by activity.query_start;
