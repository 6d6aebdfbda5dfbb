"""The design that is live today, attacked against the declared intent."""

from workbench.areas.security.live.attacking import attack_found, roles_there
from workbench.areas.security.live.findings import findings_of_found

__all__ = ["attack_found", "findings_of_found", "roles_there"]
