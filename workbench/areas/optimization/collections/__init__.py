"""Operations on collections: which are slow and why, which indexes they need, which they do without.

with open_model("mongodb://…/shop") as opened:
    review = review_operations(opened)
"""

from workbench.areas.optimization.collections.example import record_example
from workbench.areas.optimization.collections.findings import PAGES, commands_of, findings_of
from workbench.areas.optimization.collections.review import (
    OperationsReview,
    pictures,
    require_recorded,
    review_operations,
)
from workbench.areas.optimization.collections.tables import (
    accepted_rows,
    add_operation_artifacts,
    drop_rows,
    operation_rows,
    record_operations,
    rejected_rows,
    review_as_dict,
    script,
    undo_script,
)
from workbench.documents.opening import OpenModel, hold_model, looked_at_of, open_model

__all__ = [
    "PAGES",
    "OpenModel",
    "OperationsReview",
    "accepted_rows",
    "add_operation_artifacts",
    "commands_of",
    "drop_rows",
    "findings_of",
    "hold_model",
    "looked_at_of",
    "open_model",
    "operation_rows",
    "pictures",
    "record_example",
    "record_operations",
    "rejected_rows",
    "require_recorded",
    "review_as_dict",
    "review_operations",
    "script",
    "undo_script",
]
