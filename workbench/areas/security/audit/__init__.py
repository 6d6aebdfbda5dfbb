"""The audit trail: who changed what, row by row, as evidence that cannot be changed unseen."""

from workbench.areas.security.audit.hidden import Hidden, hidden_columns
from workbench.areas.security.audit.parts import audit_parts, audited_tables

__all__ = ["Hidden", "audit_parts", "audited_tables", "hidden_columns"]
