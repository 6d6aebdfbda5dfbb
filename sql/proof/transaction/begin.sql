-- begin: a transaction that will be rolled back; user triggers, rules and foreign keys rest until they are asked for
-- parameters: statement_timeout text
begin;
set local session_replication_role = replica;
set local jit = off;
set local client_min_messages = error;
select pg_catalog.set_config('statement_timeout', %(statement_timeout)s, true);
