-- statements: the texts that pg_stat_statements keeps
select s.query
from pg_stat_statements s;
