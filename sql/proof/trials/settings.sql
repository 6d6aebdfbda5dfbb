-- settings: what decides plans and times, as this session has it
-- needs: PostgreSQL 13
select s.name, pg_catalog.current_setting(s.name) as setting
from pg_catalog.pg_settings s
where s.name in (
  'cpu_index_tuple_cost', 'cpu_operator_cost', 'cpu_tuple_cost', 'default_statistics_target',
  'effective_cache_size', 'effective_io_concurrency', 'fsync', 'full_page_writes', 'hash_mem_multiplier',
  'jit', 'max_parallel_workers', 'max_parallel_workers_per_gather', 'random_page_cost', 'seq_page_cost',
  'server_version', 'shared_buffers', 'synchronous_commit', 'temp_buffers', 'wal_level', 'work_mem'
)
order by s.name;
