"""The design on a copy of a place, ready to be attacked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from workbench.areas.security.design.applying import apply_design
from workbench.areas.security.design.found import read_found
from workbench.areas.security.design.making import design_of
from workbench.areas.security.design.tokens import SETTING, TokenKey, install_token_key, new_key, sign_token
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.trial import identities_of, place_copy
from workbench.areas.security.trial.model import Place, Target
from workbench.engines.postgres import Connection

Assume = Callable[[Connection, str | None], None]


@contextlib.contextmanager
def hardened(place: Place, intent: Intent, *, replace: bool = False) -> Iterator[Target]:
    """A copy of *place* with the design of *intent*, applied by the deployer; gone after the block."""
    with place_copy(place, "hardened") as database:
        with contextlib.closing(place.connect(database)) as conn:
            design = design_of(intent, place.catalog, read_found(conn), replace=replace)
            apply_design(conn, design)
            key = new_key("first")
            if intent.identity is not None:
                install_token_key(conn, key, intent=intent)
        yield Target(
            place,
            database,
            intent,
            design,
            identities_of(place, intent),
            assume_with(key, intent, database),
        )


def assume_with(key: TokenKey, intent: Intent, database: str) -> Assume:
    """How a connection comes to act for an identity: with a token for its own role."""
    lifetime_s = intent.identity.token_lifetime_s if intent.identity else 900

    def assume(conn: Connection, identity: str | None) -> None:
        token = (
            ""
            if identity is None
            else sign_token(key, identity, role=conn.info.user, database=database, lifetime_s=lifetime_s)
        )
        conn.execute("select pg_catalog.set_config(%s, %s, false)", [SETTING, token])

    return assume
