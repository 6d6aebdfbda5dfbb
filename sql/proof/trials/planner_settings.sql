-- planner_settings: the settings that decide plans, as this server has them, that any session may set
-- needs: PostgreSQL 13
-- jit is left out: it is off in every trial
select s.name, pg_catalog.current_setting(s.name) as setting
from pg_catalog.pg_settings s
where s.context = 'user'
  and s.name in (
    'constraint_exclusion', 'cpu_index_tuple_cost', 'cpu_operator_cost', 'cpu_tuple_cost', 'cursor_tuple_fraction',
    'default_statistics_target', 'effective_cache_size', 'effective_io_concurrency', 'enable_partitionwise_aggregate',
    'enable_partitionwise_join', 'from_collapse_limit', 'geqo', 'geqo_threshold', 'hash_mem_multiplier',
    'join_collapse_limit', 'max_parallel_workers_per_gather', 'min_parallel_index_scan_size',
    'min_parallel_table_scan_size', 'parallel_setup_cost', 'parallel_tuple_cost', 'random_page_cost',
    'seq_page_cost', 'work_mem'
  )
order by s.name;
