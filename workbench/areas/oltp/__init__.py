"""The OLTP model: what the checks say of a schema, each statement proved in a scratch copy."""

from workbench.areas.oltp.enforcement import unenforced_constraints
from workbench.areas.oltp.examine import (
    ConstraintProofs,
    access_path_summary,
    access_paths,
    attempts_csv,
    break_constraints,
    declared_workload,
    fixes_script,
    record_access_paths,
    record_constraints,
    record_workload,
    review_source,
)
from workbench.areas.oltp.review import review, run_checks, verify
from workbench.proof.access_paths import prove_access_paths, prove_workload
from workbench.proof.constraints import attempt_constraints as prove_constraints
from workbench.proof.constraints import constraint_summary

__all__ = [
    "ConstraintProofs",
    "access_path_summary",
    "access_paths",
    "attempts_csv",
    "break_constraints",
    "constraint_summary",
    "declared_workload",
    "fixes_script",
    "prove_access_paths",
    "prove_constraints",
    "prove_workload",
    "record_access_paths",
    "record_constraints",
    "record_workload",
    "review",
    "review_source",
    "run_checks",
    "unenforced_constraints",
    "verify",
]
