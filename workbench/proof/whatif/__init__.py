"""What-if questions: plans under indexes, settings and volumes that are not there, exact, without data."""

from workbench.proof.whatif.build import statistics_clone
from workbench.proof.whatif.clone import ExistingIndex, PlanCost, StatisticsClone
from workbench.proof.whatif.model import Added, IndexDefinition, Key, Method, Refused, WhatIfIndex

__all__ = [
    "Added",
    "ExistingIndex",
    "IndexDefinition",
    "Key",
    "Method",
    "PlanCost",
    "Refused",
    "StatisticsClone",
    "WhatIfIndex",
    "statistics_clone",
]
