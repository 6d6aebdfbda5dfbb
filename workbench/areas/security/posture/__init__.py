"""The posture of the architect's own server: what it lets happen, read without changing anything."""

from workbench.areas.security.posture.as_found import as_found_copy, prove_posture
from workbench.areas.security.posture.checks import Check, checks
from workbench.areas.security.posture.model import STATES, Control, PostureReview
from workbench.areas.security.posture.mongodb import review_mongodb_posture
from workbench.areas.security.posture.mongodb_checks import CHECKS as MONGODB_CHECKS
from workbench.areas.security.posture.proving import prove_findings
from workbench.areas.security.posture.review import review_connection, review_posture

__all__ = [
    "MONGODB_CHECKS",
    "STATES",
    "Check",
    "Control",
    "PostureReview",
    "as_found_copy",
    "checks",
    "prove_findings",
    "prove_posture",
    "review_connection",
    "review_mongodb_posture",
    "review_posture",
]
