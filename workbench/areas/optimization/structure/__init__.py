"""Table structure: what lies on disk, what vacuum keeps up with, and what a better layout would save."""

from workbench.areas.optimization.structure.model import Limits, StructureReview
from workbench.areas.optimization.structure.review import review_structure, structure_rows

__all__ = ["Limits", "StructureReview", "review_structure", "structure_rows"]
