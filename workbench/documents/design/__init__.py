"""Document designs from access patterns: priced, built from rows, verified and run.

with open_source("ecommerce", server) as opened, mongo_engine() as engine:
    found = choose_designs(opened, None, engine)
    print(found.decision)
"""

from workbench.documents.design.build import BuildFailed, Built, build, collection_names, documents
from workbench.documents.design.choose import (
    BuiltDesign,
    DesignComparison,
    Surprise,
    choose_designs,
    difference,
    saved_ms,
)
from workbench.documents.design.layout import design_of
from workbench.documents.design.model import (
    Choice,
    CollectionDesign,
    Design,
    Place,
    Relationship,
    relationships,
)
from workbench.documents.design.output import as_dict, picture_of, shell_script
from workbench.documents.design.patterns import (
    AccessPattern,
    Condition,
    Include,
    PatternError,
    patterns_of,
    read_patterns,
)
from workbench.documents.design.rows import RowQueries, Scope
from workbench.documents.design.verify import Compared, Verification, Verifier
from workbench.documents.design.workload import Unmapped, Workload, patterns_of_sql, patterns_of_workload

__all__ = [
    "AccessPattern",
    "BuildFailed",
    "Built",
    "BuiltDesign",
    "Choice",
    "CollectionDesign",
    "Compared",
    "Condition",
    "Design",
    "DesignComparison",
    "Include",
    "PatternError",
    "Place",
    "Relationship",
    "RowQueries",
    "Scope",
    "Surprise",
    "Unmapped",
    "Verification",
    "Verifier",
    "Workload",
    "as_dict",
    "build",
    "choose_designs",
    "collection_names",
    "design_of",
    "difference",
    "documents",
    "patterns_of",
    "patterns_of_sql",
    "patterns_of_workload",
    "picture_of",
    "read_patterns",
    "relationships",
    "saved_ms",
    "shell_script",
]
