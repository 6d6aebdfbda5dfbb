"""What-if questions: plans under indexes, settings and volumes that are not there, exact, without data."""

from workbench.proof.whatif.model import Added, IndexDefinition, Key, Method, Refused, WhatIfIndex

__all__ = ["Added", "IndexDefinition", "Key", "Method", "Refused", "WhatIfIndex"]
