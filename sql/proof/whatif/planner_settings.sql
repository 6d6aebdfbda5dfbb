-- planner_settings: the settings of this session that decide which plan is chosen
-- needs: PostgreSQL 13   parameters: none
select s.name, pg_catalog.current_setting(s.name) as setting
from pg_catalog.pg_settings s
where (
    s.category like 'Query Tuning%%'
    or s.name in (
      'work_mem', 'hash_mem_multiplier', 'temp_buffers', 'default_statistics_target', 'block_size',
      'max_parallel_workers_per_gather', 'max_parallel_workers', 'parallel_leader_participation',
      'min_parallel_table_scan_size', 'min_parallel_index_scan_size', 'effective_io_concurrency',
      'TimeZone', 'DateStyle', 'IntervalStyle', 'standard_conforming_strings'
    )
  )
  and s.name not like 'jit%%'
order by s.name;
