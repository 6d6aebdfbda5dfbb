-- generator_state: whether the tables that the generator fills are there
select pg_catalog.to_regclass('shop.stock_movements') is not null as has_schema;
