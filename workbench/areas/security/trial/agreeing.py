"""Rows that were generated, mended so that a reference from one owner's row leads to the same owner's."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.trial.model import Place
from workbench.areas.security.trial.standing import triggers_may_rest
from workbench.catalog.model import Constraint, Table
from workbench.proof.rows.generate import resting
from workbench.proof.rows.planning import dependency_order, optional
from workbench.proof.rows.validation import orphans_removed

_FOLDER = "security/trial"


def let_owners_agree(place: Place, intent: Intent) -> None:
    """Of tables that were given rows, parents first: a row gets the owner of the row that it refers to.

    By a second reference, or one to its own table, it refers to nothing where it may; else to itself, or it
    goes. The source's own rows are left: where they disagree, the design says so.
    """
    if not place.generated or not intent.owners:
        return
    with (
        triggers_may_rest(place.server),
        place.server.session(place.base, user=place.deployer) as conn,
        resting(conn),
    ):
        for statement in _statements(place, intent):
            conn.execute(statement)
        orphans_removed(
            conn,
            place.catalog,
            left={(each.schema, each.name) for each in place.catalog.base_tables} - place.generated,
        )


def _statements(place: Place, intent: Intent) -> Iterator[composed.Composable]:
    tables = {(each.schema, each.name): each for each in place.catalog.base_tables}
    for name in dependency_order(list(tables.values())):
        owner = intent.owners.get(name)
        if name not in place.generated or owner is None or owner.column is None:
            continue
        adopted = False
        for key in sorted(tables[name].foreign_keys, key=lambda each: (each.references == name, each.name)):
            above = intent.owners.get(key.references) if key.references else None
            if above is None or above.column is None or above.column in key.referenced_columns:
                continue
            if owner.column in key.columns:
                continue
            own_table = key.references == name
            how = "adopted"
            if adopted or own_table:
                how = "parted" if own_table or optional(tables[name], key) else "gone"
            yield _mended(tables[name], key, owner.column, above.column, how)
            adopted = adopted or not own_table


def _mended(table: Table, key: Constraint, own: str, above: str, how: str) -> composed.Composable:
    pairs = list(zip(key.columns, key.referenced_columns, strict=True))
    instead = [
        composed.SQL("{} = null").format(composed.Identifier(here))
        for here in key.columns
        if table.column(here).nullable
    ] or [
        composed.SQL("{} = c.{}").format(composed.Identifier(here), composed.Identifier(there))
        for here, there in pairs
    ]
    return composed.SQL(sql.read(f"{_FOLDER}/{how}.sql")).format(
        table=composed.Identifier(table.schema, table.name),
        parent=composed.Identifier(*(key.references or ())),
        own=composed.Identifier(own),
        above=composed.Identifier(above),
        same_key=composed.SQL(" and ").join(
            composed.SQL("p.{} = c.{}").format(composed.Identifier(there), composed.Identifier(here))
            for here, there in pairs
        ),
        instead=composed.SQL(", ").join(instead),
    )
