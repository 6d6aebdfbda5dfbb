-- relations: every file of this database's relations, with what it holds
select
    case
        when n.nspname = 'pg_catalog' and c.relname in ('pg_statistic', 'pg_statistic_ext_data') then 'statistics'
        when c.relkind in ('i', 'I') then 'index'
        else 'heap'
    end as place,
    pg_catalog.pg_relation_filepath(c.oid) as path,
    n.nspname || '.' || c.relname as name
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where pg_catalog.pg_relation_filepath(c.oid) is not null
order by c.oid;
