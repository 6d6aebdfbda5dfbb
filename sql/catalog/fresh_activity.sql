-- fresh activity: forget the figures that this transaction has already looked at
select pg_catalog.pg_stat_clear_snapshot();
