"""Optimization: which indexes, which statements, which structure, each recommendation proved."""

from workbench.areas.optimization.anew import found_again, keys_only
from workbench.areas.optimization.charts import cost_chart, search_chart
from workbench.areas.optimization.index_findings import (
    advice_in_words,
    index_findings,
    kept_take_home,
    record_anew,
    record_indexes,
    take_home_script,
    trial_in_words,
)
from workbench.areas.optimization.index_tables import (
    cost_rows,
    drop_rows,
    grown_rows,
    index_rows,
    indexes_as_dict,
    noted,
    rejected_rows,
    trial_rows,
    tried_rows,
    unread_rows,
    workload_rows,
    write_rows,
)
from workbench.areas.optimization.indexes import (
    Advised,
    Grown,
    advise_indexes,
    at_volumes,
    default_rows,
    prove_indexes,
    require_rows,
)
from workbench.areas.optimization.recording import (
    looked_at_of,
    record_slow,
    record_structure,
    slow_as_dict,
    structure_as_dict,
)
from workbench.areas.optimization.slow import (
    reason_table,
    rewrite_table,
    slow_picture,
    slow_queries,
    slow_table,
)
from workbench.areas.optimization.structure import review_structure, structure_rows
from workbench.areas.optimization.workloads import workload_of

__all__ = [
    "Advised",
    "Grown",
    "advice_in_words",
    "advise_indexes",
    "at_volumes",
    "cost_chart",
    "cost_rows",
    "default_rows",
    "drop_rows",
    "found_again",
    "grown_rows",
    "index_findings",
    "index_rows",
    "indexes_as_dict",
    "kept_take_home",
    "keys_only",
    "looked_at_of",
    "noted",
    "prove_indexes",
    "reason_table",
    "record_anew",
    "record_indexes",
    "record_slow",
    "record_structure",
    "rejected_rows",
    "require_rows",
    "review_structure",
    "rewrite_table",
    "search_chart",
    "slow_as_dict",
    "slow_picture",
    "slow_queries",
    "slow_table",
    "structure_as_dict",
    "structure_rows",
    "take_home_script",
    "trial_in_words",
    "trial_rows",
    "tried_rows",
    "unread_rows",
    "workload_of",
    "workload_rows",
    "write_rows",
]
