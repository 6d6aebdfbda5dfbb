-- applied: what the ledger says
select version, migration_name, checksum
from shop.schema_migrations
order by version;
