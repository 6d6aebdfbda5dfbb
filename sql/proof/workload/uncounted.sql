-- uncounted: pg_stat_statements does not count what follows in the transaction, where the role may say so
-- needs: PostgreSQL 13
select pg_catalog.set_config(s.name, 'none', true)
from pg_catalog.pg_settings s
join pg_catalog.pg_roles r on r.rolname = current_user
where s.name = 'pg_stat_statements.track' and r.rolsuper;
