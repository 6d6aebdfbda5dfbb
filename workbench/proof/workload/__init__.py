"""Workloads: what is asked of a database and how often, from its statistics, a file or a log."""

from workbench.proof.workload.assumed import assumed_workload
from workbench.proof.workload.compression import compress
from workbench.proof.workload.example import workload_of_example
from workbench.proof.workload.files import workload_of_files
from workbench.proof.workload.log import workload_of_log
from workbench.proof.workload.log_entries import is_log
from workbench.proof.workload.model import Observed, Statement, StatementKind, Unread, Workload
from workbench.proof.workload.sampling import sample_values
from workbench.proof.workload.statistics import workload_of_statistics
from workbench.proof.workload.syntax import runnable

__all__ = [
    "Observed",
    "Statement",
    "StatementKind",
    "Unread",
    "Workload",
    "assumed_workload",
    "compress",
    "is_log",
    "runnable",
    "sample_values",
    "workload_of_example",
    "workload_of_files",
    "workload_of_log",
    "workload_of_statistics",
]
