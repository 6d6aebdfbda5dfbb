-- extensions: the trusted extensions that the shop needs, in a schema of their own
create schema if not exists extensions;

comment on schema extensions is
    'Extensions and nothing else, so that a dump of the live schemas holds no object of an extension.';

create extension if not exists ltree with schema extensions;

create extension if not exists pg_trgm with schema extensions;
