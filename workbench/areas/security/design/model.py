"""The parts of a design: each can be applied, undone, and broken to see whether the attacks notice."""

from __future__ import annotations

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

    Both are SQL, each may hold several statements. They are run by the deployer, who is a member of the
    owning roles meanwhile (*by* ``owners``) or is not (``deployer``), or by the superuser, for what no
    deployer may do. *name* says what was done, such as ``policy dropped``.
    """

    name: str
    break_it: str
    mend: str
    by: Literal["owners", "deployer", "superuser"] = "owners"


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
    spared: str = ""  # why it has no mutation: what an attack could notice does not depend on it


@dataclass(frozen=True)
class Design:
    """All parts of an intent in the order in which they are applied; undone in the other order."""

    intent: Intent
    parts: tuple[Part, ...]
    remarks: tuple[str, ...] = field(default=())  # what the design could not do, one line each

    @property
    def statements(self) -> str:
        """What brings a database to the design, to be run in one transaction; it may be run again."""
        return _joined(_SETTINGS, *(part.apply for part in self.parts))

    @property
    def undo_statements(self) -> str:
        """What takes the design away again, to be run in one transaction."""
        return _joined(_SETTINGS, *(part.undo for part in reversed(self.parts)))

    @property
    def script(self) -> str:
        """The same as `statements` with its own transaction, as psql runs it."""
        return _joined("begin;", self.statements, "commit;")

    @property
    def undo_script(self) -> str:
        """The same as `undo_statements` with its own transaction."""
        return _joined("begin;", self.undo_statements, "commit;")


# that something is there already is no news, and a backslash in a text stands for itself
_SETTINGS = "set local client_min_messages = warning;\nset local standard_conforming_strings = on;"


def _joined(*statements: str) -> str:
    return "\n\n".join(text.strip() for text in statements if text.strip()) + "\n"
