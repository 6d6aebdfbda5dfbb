"""A private cluster in which a design is applied and attacked, for roles belong to a whole cluster."""

from workbench.areas.security.trial.agreeing import let_owners_agree
from workbench.areas.security.trial.existing import bring_existing_roles
from workbench.areas.security.trial.identities import identities_of
from workbench.areas.security.trial.live import found
from workbench.areas.security.trial.model import Identities, Place, Target
from workbench.areas.security.trial.standing import place_copy, security_place, target_copy
from workbench.areas.security.trial.surface import with_surface

__all__ = [
    "Identities",
    "Place",
    "Target",
    "bring_existing_roles",
    "found",
    "identities_of",
    "let_owners_agree",
    "place_copy",
    "security_place",
    "target_copy",
    "with_surface",
]
