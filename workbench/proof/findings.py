"""What an area says of a schema, and what it rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warn", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warn", "info")


@dataclass(frozen=True)
class Evidence:
    """What was measured or tried, so that someone else can repeat it.

    *kind* names the proof (``fix-closes-finding``, ``plan``, ``attempt``); *engine* is the server
    it ran on (``PostgreSQL 18.6, embedded``), *facts* the figures with their unit in the name.
    """

    kind: str
    summary: str
    engine: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One statement about one object, with a fix that can be run and the proof of both.

    *object* is schema.table[.column|constraint|index], each part quoted as SQL would where needed.
    *verified* is true only where the claim was proved on an engine; otherwise *unverified_because*
    says why not.
    """

    area: str
    check: str
    severity: Severity
    object: str
    title: str
    why: str
    fix: str
    verified: bool = False
    unverified_because: str = ""
    evidence: tuple[Evidence, ...] = ()

    @property
    def id(self) -> str:
        """Stable from run to run: the check and the object, and nothing else, decide it."""
        digest = hashlib.sha256(f"{self.area}\0{self.check}\0{self.object}".encode()).hexdigest()
        return f"{self.area}-{self.check}-{digest[:8]}"

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain data, as it stands in findings.json."""
        return {"id": self.id, **asdict(self)}
