"""Pictures of a catalog."""

from workbench.diagrams.er import Diagram, SubjectArea, entity_relationships, subject_areas
from workbench.diagrams.layout import DrawingFailed
from workbench.diagrams.shape_tree import ShapeTree, shape_tree

__all__ = [
    "Diagram",
    "DrawingFailed",
    "ShapeTree",
    "SubjectArea",
    "entity_relationships",
    "shape_tree",
    "subject_areas",
]
