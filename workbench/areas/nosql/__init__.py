"""The NoSQL model: collections reviewed, validators and indexes proved, documents designed from rows."""

from workbench.areas.nosql.artifacts import add_artifacts
from workbench.areas.nosql.designing import (
    Designed,
    compare_designs,
    design_documents,
    record_design,
)
from workbench.areas.nosql.examine import (
    Reviewed,
    prove_collections,
    prove_model,
    record_collections,
    record_not_judged,
    review_collections,
    review_model,
)
from workbench.areas.nosql.tables import (
    attempt_rows,
    claim_rows,
    design_rows,
    expiry_rows,
    failing_rows,
    field_rows,
    index_rows,
    role_rows,
    time_series_query_rows,
    time_series_rows,
    unique_rows,
    validator_rows,
)
from workbench.documents.opening import OpenModel, hold_model, looked_at_of, open_model, shapes_of

__all__ = [
    "Designed",
    "OpenModel",
    "Reviewed",
    "add_artifacts",
    "attempt_rows",
    "claim_rows",
    "compare_designs",
    "design_documents",
    "design_rows",
    "expiry_rows",
    "failing_rows",
    "field_rows",
    "hold_model",
    "index_rows",
    "looked_at_of",
    "open_model",
    "prove_collections",
    "prove_model",
    "record_collections",
    "record_design",
    "record_not_judged",
    "review_collections",
    "review_model",
    "role_rows",
    "shapes_of",
    "time_series_query_rows",
    "time_series_rows",
    "unique_rows",
    "validator_rows",
]
