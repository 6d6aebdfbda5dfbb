-- reviewed_tables: the tables that the checks look at, partitions among them
-- needs: PostgreSQL 13   parameters: schemas oid[]
-- left out: temporary tables, members of extensions, the ledgers of migration tools
select c.oid
from pg_catalog.pg_class c
where c.relnamespace = any(%(schemas)s::oid[])
  and c.relkind in ('r', 'p')
  and c.relpersistence <> 't'
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.objid = c.oid
      and d.deptype = 'e'
  )
  and pg_catalog.lower(c.relname) not in (
    'flyway_schema_history', 'databasechangelog', 'databasechangeloglock', 'alembic_version', 'django_migrations',
    'schema_migrations', 'ar_internal_metadata', 'knex_migrations', 'knex_migrations_lock', '_prisma_migrations',
    'goose_db_version', '__efmigrationshistory', 'sequelizemeta', 'doctrine_migration_versions', 'pgmigrations',
    'atlas_schema_revisions', '_sqlx_migrations', '__diesel_schema_migrations', 'gorp_migrations',
    'mikro_orm_migrations', 'kysely_migration', 'kysely_migration_lock', '__drizzle_migrations',
    'schema_migrations_lock', 'changelog_lock', 'yoyo_lock', '_yoyo_migration', '_yoyo_log', '_yoyo_version',
    'south_migrationhistory', 'phinxlog', 'evolutions'
  )
  and not (
    c.relname in ('migrations', 'typeorm_metadata', 'schema_version')
    and exists (
      select
      from pg_catalog.pg_attribute a
      where a.attrelid = c.oid
        and a.attname in ('migration', 'batch', 'timestamp', 'checksum', 'installed_rank', 'version')
    )
  )
order by c.oid;
