-- policy_evaluated_per_row: policies that call a function for every row which one call would answer
-- level: info   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: a call within a scalar subquery; a call with a column of the row; current_user and the like
select
  'policy_evaluated_per_row' as "check",
  'info' as severity,
  pg_catalog.format('%%I.%%I.%%I', n.nspname, c.relname, p.polname) as object,
  pg_catalog.format('the policy %%I of %%I.%%I calls functions for every row', p.polname, n.nspname, c.relname)
    as title,
  'A call that does not depend on the row is made once where it stands in a scalar subquery, (select …), and else '
  'once a row that is looked at. Source: PostgreSQL manual, 5.9 Row Security Policies; 53.1 The Path of a Query.'
    as why,
  '' as fix,
  pg_catalog.jsonb_build_object(
    'schema', n.nspname,
    'table', c.relname,
    'policy', p.polname,
    'qual', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
    'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
  ) as details
from pg_catalog.pg_policy p
join pg_catalog.pg_class c on c.oid = p.polrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relnamespace = any(%(schemas)s::oid[])
  and c.relrowsecurity
order by object;
