"""The design that a source has today, as a target of the same attacks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from workbench.areas.security.intent.model import Intent
from workbench.areas.security.trial.identities import identities_of
from workbench.areas.security.trial.model import Place, Target
from workbench.areas.security.trial.standing import place_copy
from workbench.engines.postgres import Connection


@contextlib.contextmanager
def found(place: Place, intent: Intent, *, setting: str | None = None) -> Iterator[Target]:
    """A copy of *place* (made with as_found) as it is; gone after the block.

    A session acts for an identity by the *setting* that the source's policies read; without one, by the
    role alone. Raises BadInput where fewer than two identities own rows.
    """

    def assume(conn: Connection, identity: str | None) -> None:
        if setting is not None:
            conn.execute("select pg_catalog.set_config(%s, %s, false)", [setting, identity or ""])

    with place_copy(place, "found") as database:
        yield Target(place, database, intent, None, identities_of(place, intent), assume, name="as found")
