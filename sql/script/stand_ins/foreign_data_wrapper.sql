-- a foreign-data wrapper without a handler: servers and foreign tables can be declared, not read
-- parameters: {wrapper} {owner}
create foreign data wrapper {wrapper};
grant usage on foreign data wrapper {wrapper} to {owner};
