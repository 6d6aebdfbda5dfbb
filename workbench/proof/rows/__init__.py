"""Rows for a schema: copied from a source that allows it, or generated from the catalog and statistics."""

from workbench.proof.rows.copying import copy_rows
from workbench.proof.rows.generate import described, generate_rows
from workbench.proof.rows.model import Filled, FilledTable, RowPlan
from workbench.proof.rows.planning import plan_rows, read_statistics

__all__ = [
    "Filled",
    "FilledTable",
    "RowPlan",
    "copy_rows",
    "described",
    "generate_rows",
    "plan_rows",
    "read_statistics",
]
