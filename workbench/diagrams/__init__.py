"""Pictures of a catalog."""

from workbench.diagrams.er import Diagram, SubjectArea, entity_relationships, subject_areas
from workbench.diagrams.layout import DrawingFailed

__all__ = ["Diagram", "DrawingFailed", "SubjectArea", "entity_relationships", "subject_areas"]
