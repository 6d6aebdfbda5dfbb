-- record: note a migration in the ledger   parameters: version integer, migration_name text, checksum text
insert into shop.schema_migrations (version, migration_name, checksum)
values (%(version)s, %(migration_name)s, %(checksum)s);
