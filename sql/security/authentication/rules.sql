-- rules: how many rules of pg_hba.conf are in force, which of them prove nothing, and which are in error
-- needs: PostgreSQL 13
select
    pg_catalog.count(*) as rules,
    pg_catalog.count(*) filter (where r.auth_method in ('trust', 'password', 'md5', 'ident')) as weak,
    pg_catalog.string_agg(r.error, '; ' order by r.line_number) as errors
from pg_catalog.pg_hba_file_rules r;
