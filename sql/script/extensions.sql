-- extensions: the extensions that can be created, and whether the owner of a database may do so
select available.name, coalesce(pg_catalog.bool_or(versions.trusted), false) as trusted
from pg_catalog.pg_available_extensions available
left join pg_catalog.pg_available_extension_versions versions
  on versions.name = available.name
  and versions.version = available.default_version
group by available.name
order by available.name;
