"""Workloads: what is asked of a database and how often, from its statistics, a file or a log."""

from workbench.proof.workload.model import Observed, Statement, StatementKind, Unread, Workload

__all__ = ["Observed", "Statement", "StatementKind", "Unread", "Workload"]
