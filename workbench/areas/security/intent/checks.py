"""What an intent says that cannot be meant: contradictions, and what the database does not allow."""

from __future__ import annotations

from workbench.areas.security.intent.document import Document
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.intent.problems import Problem
from workbench.catalog.model import Catalog


def problems_of(intent: Intent, catalog: Catalog, document: Document) -> list[Problem]:
    """Every problem of *intent*, whose names are all known."""
    return []
