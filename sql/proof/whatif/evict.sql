-- evict: pages of relations leave the shared buffers, so that what is in their files counts
-- needs: PostgreSQL 18, pg_buffercache   parameters: relations oid[]   fields: schema (of pg_buffercache)
select {schema}.pg_buffercache_evict_relation(given.oid::pg_catalog.regclass)
from pg_catalog.unnest(%(relations)s::oid[]) as given(oid);
