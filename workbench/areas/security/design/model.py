"""The parts of a design: each can be applied, undone, and broken to see whether the attacks notice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from workbench.areas.security.intent.model import Intent

PartKind = Literal[
    "role",
    "membership",
    "schema",
    "ownership",
    "revoke",
    "grant",
    "default privilege",
    "row security",
    "force row security",
    "policy",
    "tenant key",
    "view",
    "function",
    "token",
    "trigger",
    "audit",
]


@dataclass(frozen=True)
class Mutation:
    """A way to break one part, for the time of one attack: *break_it*, and *mend* puts it back as it was.

    Both are SQL, run as the deployer outside of a transaction block's need (each may hold several
    statements). *name* says what was done, such as ``policy dropped``.
    """

    name: str
    break_it: str
    mend: str


@dataclass(frozen=True)
class Part:
    """One object of the design. *apply* may be run again without harm; *undo* restores what was before.

    *object* is qualified for people, *table* the table concerned where there is one, *role* the role.
    *why* is the reason, with the manual's section or the attack that it stops.
    """

    kind: PartKind
    object: str
    apply: str
    undo: str
    why: str = ""
    role: str | None = None
    table: tuple[str, str] | None = None
    mutations: tuple[Mutation, ...] = ()


@dataclass(frozen=True)
class Design:
    """All parts of an intent in the order in which they are applied; undone in the other order."""

    intent: Intent
    parts: tuple[Part, ...]
    remarks: tuple[str, ...] = field(default=())  # what the design could not do, one line each

    @property
    def script(self) -> str:
        """One transaction that brings a database to the design; it may be run again."""
        return _transaction(part.apply for part in self.parts)

    @property
    def undo_script(self) -> str:
        """One transaction that takes the design away again."""
        return _transaction(part.undo for part in reversed(self.parts))


def _transaction(statements: Iterable[str]) -> str:
    parts = [text.strip() for text in statements if text.strip()]
    return "begin;\n\n" + "\n\n".join(parts) + "\n\ncommit;\n"
