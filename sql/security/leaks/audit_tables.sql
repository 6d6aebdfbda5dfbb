-- audit_tables: the tables of one schema
select n.nspname, c.relname
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s
  and c.relkind = 'r'
order by c.relname;
