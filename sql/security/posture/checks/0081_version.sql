-- version: the server's version gets no more corrections, or lacks some that are there
-- level: error   needs: PostgreSQL 13   scope: server   reads: all
-- section: 1 Installation and patches   control: Ensure the latest minor version is installed
-- near miss: a minor newer than the last that is known here; a major unknown here
with known(major, last_day, minor) as (
  values
    (13, date '2025-11-13', 23),
    (14, date '2026-11-12', 20),
    (15, date '2027-11-11', 15),
    (16, date '2028-11-09', 11),
    (17, date '2029-11-08', 7),
    (18, date '2030-11-14', 6)
),
running as (
  select
    pg_catalog.current_setting('server_version_num')::int / 10000 as major,
    pg_catalog.current_setting('server_version_num')::int %% 10000 as minor
)
select
  'version' as "check",
  case when known.last_day < current_date then 'error' else 'warn' end as severity,
  'server.version' as object,
  case
    when known.last_day < current_date
      then pg_catalog.format('version %%s gets no corrections since %%s', known.major, known.last_day)
    else pg_catalog.format(
      'version %%s.%%s lacks the corrections up to %%s.%%s', known.major, running.minor, known.major, known.minor
    )
  end as title,
  'Corrections of security are published as minors, each with what it closes. What is known here was known when '
  'this workbench was made, and is a lower bound: a newer minor may be there. Source: PostgreSQL versioning policy; '
  'CIS PostgreSQL Benchmark, section 1.' as why,
  E'-- install the newest minor (of a newer major, where this one has ended) and restart:\n'
    'select pg_catalog.version();' as fix,
  pg_catalog.jsonb_build_object() as details
from running
join known on known.major = running.major
where known.last_day < current_date
  or running.minor < known.minor
order by object;
