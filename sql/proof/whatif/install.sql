-- install: a function by which a role without rights shows and hides indexes, and a place for samples
-- needs: PostgreSQL 18, pg_buffercache   parameters: none   fields: schema, samples, owner
create schema {schema};

create function {schema}.toggle(shown oid[], hidden oid[])
returns void
language plpgsql
security definer
as $toggle$
begin
  update pg_catalog.pg_index
  set indisvalid = true
  where indexrelid operator(pg_catalog.=) any (shown)
    and not indisvalid;

  update pg_catalog.pg_index
  set indisvalid = false
  where indexrelid operator(pg_catalog.=) any (hidden)
    and indisvalid;
end
$toggle$;

grant usage on schema {schema} to public;

create extension if not exists pg_buffercache schema {schema};

create schema {samples} authorization {owner};

-- nothing is in them, and nothing else may say so
update pg_catalog.pg_class
set relispopulated = true
where relkind = 'm'
  and not relispopulated;

set search_path = '';
