-- secret_in_subscription: passwords in the connections of subscriptions
-- level: info   needs: PostgreSQL 13   scope: server   reads: subscriptions
-- section: 7 Replication   control: Ensure a replication-only user is created and used for streaming replication
-- near miss: a connection without a password
select
  'secret_in_subscription' as "check",
  'info' as severity,
  pg_catalog.quote_ident(s.subname) as object,
  pg_catalog.format('the subscription %%I holds a password', s.subname) as title,
  'It is kept in clear and stands in every backup. Source: PostgreSQL manual, 29.9 Security of logical '
  'replication. The value is not shown here.' as why,
  pg_catalog.format(
    E'-- put the password into a passfile of the server''s account, name it in the connection, and then:\n'
    'alter subscription %%I connection ''host=… dbname=… user=… passfile=…'';', s.subname
  ) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_subscription s
where s.subconninfo ~* '(password\s*=|//[^/@]*:[^/@]*@)'
order by object;
