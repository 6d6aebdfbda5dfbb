"""Who attacks whom: two identities that own rows in as many tables as possible."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.intent.model import Identity, Intent, TableName
from workbench.areas.security.trial.model import Identities, Place
from workbench.catalog.model import qualified
from workbench.errors import BadInput


def identities_of(place: Place, intent: Intent) -> Identities:
    """Those two identities that own rows in the most tables, of equals the first in order.

    Of an intent without identities both are empty. Where fewer than two own anything the others are made
    up, and the note says so. Raises BadInput where their type is none of which a value can be made up.
    """
    if intent.identity is None or not intent.owners:
        return Identities("", "")
    owned = [_owned(intent, table, number) for number, table in enumerate(sorted(intent.owners))]
    query = composed.SQL(
        "select identity from ({}) owned where identity is not null group by identity "
        "order by pg_catalog.count(*) desc, identity limit 2"
    ).format(composed.SQL(" union all ").join(owned))
    with _onlooker(place) as role, place.server.session(place.base, user=role) as conn:
        found = [row[0] for row in conn.execute(query).fetchall()]
    if len(found) > 1:
        return Identities(found[0], found[1])
    made = [each for each in _made_up(intent.identity) if each not in found][: 2 - len(found)]
    if not made:
        raise BadInput(
            f"{place.title} has rows of {'one identity' if found else 'no identity'}, and none of type "
            f"{intent.identity.type} can be made up: two are needed to try one on the other's"
        )
    note = (
        f"{qualified(*intent.identity.table)}: rows belong to {'one identity' if found else 'no identity'}, "
        f"so {' and '.join(made)} {'was' if len(made) == 1 else 'were'} made up"
    )
    pair = [*found, *made]
    return Identities(pair[0], pair[1], note)


def _made_up(identity: Identity) -> tuple[str, ...]:
    """Three values of the identity's type, none for a type of which nothing is known."""
    base = identity.type.partition("(")[0]
    if base in ("smallint", "integer", "bigint", "numeric"):
        return ("30001", "30002", "30003")
    if base == "uuid":
        return tuple(f"00000000-0000-4000-8000-00000000000{digit}" for digit in "abc")
    return ("a", "b", "c") if base in ("text", "character varying", "citext") else ()


@contextlib.contextmanager
def _onlooker(place: Place) -> Iterator[str]:
    """A login that row security does not bind, for a cast may be a script's code, which no superuser runs."""
    role = f"wb_onlooker_{uuid.uuid4().hex[:12]}"
    names = {"role": composed.Identifier(role), "deployer": composed.Identifier(place.deployer)}
    with place.server.session() as superuser:
        superuser.execute(composed.SQL(sql.read("security/trial/onlooker.sql")).format(**names))
        try:
            yield role
        finally:
            superuser.execute(composed.SQL(sql.read("security/trial/onlooker_gone.sql")).format(**names))


def _owned(intent: Intent, table: TableName, number: int) -> composed.Composable:
    """The distinct identities that own a row of *table*, through its parents where need be."""
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
