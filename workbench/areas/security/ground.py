"""The ground on which a design is proved: the place, the intent, and a copy with each design."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.areas.security.access.model import AccessFacts
from workbench.areas.security.access.reading import access_facts
from workbench.areas.security.attacks.naive import naive
from workbench.areas.security.design.hardening import hardened
from workbench.areas.security.intent.deriving import LOADERS, derive_intent
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.intent.reading import example_intent, read_intent
from workbench.areas.security.live import roles_there
from workbench.areas.security.trial import bring_existing_roles, found, let_owners_agree, security_place
from workbench.areas.security.trial.model import Place, Target
from workbench.catalog.reflect import reflect
from workbench.script.roles import MARK
from workbench.source import OpenSource


@dataclass
class Ground:
    """A place and the intent to be proved on it; *intent_from* says where the intent comes from.

    *naive*, *hardened* and *found* are made when they are asked for, and gone with the ground. *setting*
    names the one in which the source's sessions say for whom they act, where its policies do not.
    """

    opened: OpenSource
    place: Place
    intent: Intent
    intent_from: str
    setting: str | None = None
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)
    _targets: dict[str, Target] = field(default_factory=dict, repr=False)

    @property
    def naive(self) -> Target:
        """A copy with the naive design for the roles of the intent."""
        if "naive" not in self._targets:
            self._targets["naive"] = self._held.enter_context(naive(self.place, self.intent))
        return self._targets["naive"]

    @property
    def hardened(self) -> Target:
        """A copy with the design of the intent. Raises BadInput where it cannot be applied."""
        if "hardened" not in self._targets:
            replaced = hardened(self.place, self.intent, replace=True)
            self._targets["hardened"] = self._held.enter_context(replaced)
        return self._targets["hardened"]

    @property
    def found(self) -> Target | None:
        """A copy with the roles, grants and policies that the source has today, in a cluster of its own.

        None where the source has none of the intent's roles. Raises BadInput, SourceError.
        """
        if "found" not in self._targets:
            target = self._found()
            if target is None:
                return None
            self._targets["found"] = target
        return self._targets["found"]

    def _found(self) -> Target | None:
        facts = access_facts(self.opened.connection)
        superusers = frozenset(each.name for each in facts.roles if each.superuser)
        if not roles_there(self.opened.source.kind, self.intent, facts) - superusers:
            return None
        place = self._held.enter_context(security_place(self.opened, as_found=True))
        return self._held.enter_context(
            found(
                place,
                self.intent,
                setting=self.setting,
                superusers=superusers,
                logins_known=self.opened.source.kind == "database",
            )
        )

    @property
    def engine(self) -> str:
        return self.place.server.description

    def close(self) -> None:
        """Give the private cluster back; twice does no harm."""
        self._held.close()
        self._targets.clear()


@contextlib.contextmanager
def security_ground(
    opened: OpenSource, intent: str | Path | None = None, *, setting: str | None = None
) -> Iterator[Ground]:
    """A private cluster for *opened* and the intent of the file *intent*; all is gone after the block.

    Without a file: the example's own intent, else the one proposed from what the source's roles may do
    now. Raises BadInput for an intent that does not fit the source, SourceError for a source that cannot
    be copied.
    """
    with contextlib.ExitStack() as held:
        place = held.enter_context(security_place(opened))
        declared, origin = intent_of(opened, place, intent)
        bring_existing_roles(place, opened, declared)
        let_owners_agree(place, declared)
        with contextlib.ExitStack() as targets:
            yield Ground(opened, place, declared, origin, setting, targets)


def hold_ground(
    opened: OpenSource, intent: str | Path | None = None, *, setting: str | None = None
) -> Ground:
    """For a notebook: the ground, open until `close()` or the end of the process."""
    with contextlib.ExitStack() as stack:
        ground = stack.enter_context(security_ground(opened, intent, setting=setting))
        ground._held.push(stack.pop_all())
    atexit.register(ground.close)
    return ground


def intent_of(opened: OpenSource, place: Place, intent: str | Path | None) -> tuple[Intent, str]:
    """The intent and where it comes from. Raises BadInput where the file does not fit the source."""
    if intent:
        path = Path(intent)
        return read_intent(path, place.catalog), path.name
    if opened.source.kind == "example":
        return example_intent(place.catalog), "the example's own"
    return proposed_intent(opened), "proposed from the source, not yet corrected by anybody"


def proposed_intent(opened: OpenSource) -> Intent:
    """An intent as a starting point: what the roles of *opened* may do now, with guesses marked."""
    facts = access_facts(opened.connection)
    if opened.source.kind == "file":
        facts = _of_script(facts)
    return derive_intent(reflect(opened.connection), facts)


def _of_script(facts: AccessFacts) -> AccessFacts:
    """A script's roles, which on the engine log in nowhere and are a loader's: logins but for groups."""
    memberships = tuple(
        each for each in facts.memberships if not LOADERS.match(each.role) and not LOADERS.match(each.member)
    )
    groups = {each.role for each in memberships}
    roles = tuple(
        replace(each, comment="", login=each.name not in groups) if each.comment == MARK else each
        for each in facts.roles
    )
    return replace(facts, memberships=memberships, roles=roles)
