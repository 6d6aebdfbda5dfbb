"""The design on a copy of a place, ready to be attacked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from psycopg2 import sql as composed

from workbench.areas.security.design.applying import apply_design
from workbench.areas.security.design.found import read_found
from workbench.areas.security.design.making import design_of
from workbench.areas.security.design.tokens import SETTING, TokenKey, install_token_key, new_key, sign_token
from workbench.areas.security.intent.model import Intent, TableName
from workbench.areas.security.trial import place_copy
from workbench.areas.security.trial.model import Identities, Place, Target
from workbench.engines.postgres import Connection
from workbench.errors import BadInput

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
            two_identities(place, intent),
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


def two_identities(place: Place, intent: Intent) -> Identities:
    """Those two identities that own rows in the most tables, of equals the first in order.

    Raises BadInput where fewer than two own anything: there would be nobody to protect from.
    """
    if intent.identity is None:
        return Identities("", "")
    owned = [_owned(intent, table, number) for number, table in enumerate(sorted(intent.owners))]
    query = composed.SQL(
        "select identity from ({}) owned where identity is not null group by identity "
        "order by pg_catalog.count(*) desc, identity limit 2"
    ).format(composed.SQL(" union all ").join(owned))
    with place.server.session(place.base) as conn:
        found = [row[0] for row in conn.execute(query).fetchall()]
    if len(found) < 2:
        raise BadInput(
            f"{place.title} has rows of {len(found)} identities: two are needed to try one on the other's"
        )
    return Identities(found[0], found[1])


def _owned(intent: Intent, table: TableName, number: int) -> composed.Composable:
    """The distinct identities that own a row of *table*."""
    source: composed.Composable = composed.SQL("{} t0").format(composed.Identifier(*table))
    owner, step = intent.owners[table], 0
    while owner.column is None and owner.parent is not None:
        pairs = composed.SQL(" and ").join(
            composed.SQL("{} = {}").format(
                composed.Identifier(f"t{step + 1}", there), composed.Identifier(f"t{step}", here)
            )
            for here, there in zip(owner.columns, owner.parent_columns, strict=True)
        )
        source = composed.SQL("{} join {} {} on {}").format(
            source, composed.Identifier(*owner.parent), composed.Identifier(f"t{step + 1}"), pairs
        )
        owner, step = intent.owners[owner.parent], step + 1
    return composed.SQL("select distinct {}::text as identity, {} as place from {}").format(
        composed.Identifier(f"t{step}", owner.column or ""), composed.Literal(number), source
    )
