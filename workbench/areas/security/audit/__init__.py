"""The audit trail: who changed what, row by row, as evidence that cannot be changed unseen."""

from workbench.areas.security.audit.coverage import CoverageGap, audit_coverage, repair_script
from workbench.areas.security.audit.hidden import Hidden, hidden_columns
from workbench.areas.security.audit.parts import audit_parts, audited_tables
from workbench.areas.security.audit.proof import AuditProof, prove_audit, prove_forms
from workbench.areas.security.audit.retention import ensure_partitions, retirable_months, retire_month
from workbench.areas.security.audit.sealing import (
    Anchor,
    Retirement,
    Tampering,
    keep_anchor,
    kept_anchors,
    seal,
    sign,
    unsealed_entries,
    verify,
)
from workbench.areas.security.audit.travel import PastRow, as_of

__all__ = [
    "Anchor",
    "AuditProof",
    "CoverageGap",
    "Hidden",
    "PastRow",
    "Retirement",
    "Tampering",
    "as_of",
    "audit_coverage",
    "audit_parts",
    "audited_tables",
    "ensure_partitions",
    "hidden_columns",
    "keep_anchor",
    "kept_anchors",
    "prove_audit",
    "prove_forms",
    "repair_script",
    "retirable_months",
    "retire_month",
    "seal",
    "sign",
    "unsealed_entries",
    "verify",
]
