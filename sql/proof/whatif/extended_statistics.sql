-- extended_statistics: what ANALYZE found in groups of columns, as far as the login may read it
-- needs: PostgreSQL 13   parameters: none
-- fields: inherited (since 15), mcv (the bytes), data (a join of what only a superuser reads)
select n.nspname as schema_name, e.stxname as statistics_name, {inherited} as inherited,
  (
    select pg_catalog.jsonb_object_agg(a.attnum, a.attname)
    from pg_catalog.pg_attribute a
    where a.attrelid = e.stxrelid
      and a.attnum = any (e.stxkeys::smallint[])
  ) as names,
  e.stxkind::text[] as kinds, v.n_distinct::text as ndistinct, v.dependencies::text as dependencies,
  case
    when not exists (
      select
      from pg_catalog.pg_attribute a
      where a.attrelid = e.stxrelid
        and a.attnum = any (e.stxkeys::smallint[])
        and a.atttypid >= 16384
    ) then {mcv}
  end as mcv,
  v.most_common_freqs is not null as has_mcv,
  pg_catalog.pg_has_role(c.relowner, 'usage') as readable
from pg_catalog.pg_statistic_ext e
join pg_catalog.pg_class c on c.oid = e.stxrelid
join pg_catalog.pg_namespace n on n.oid = e.stxnamespace
left join pg_catalog.pg_stats_ext v on v.statistics_schemaname = n.nspname and v.statistics_name = e.stxname
{data}
where n.nspname <> 'information_schema'
  and n.nspname !~ '^pg_'
order by n.nspname, e.stxname, inherited;
