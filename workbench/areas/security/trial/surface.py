"""What the example has beside its tables, and what the intent says of it."""

from __future__ import annotations

from dataclasses import replace

from workbench import sql
from workbench.areas.security.intent.model import Intent, RowOwner, Rule
from workbench.engines.postgres import Connection

VISITS = ("shop_api", "visits")


def add_surface(conn: Connection) -> None:
    """The schema shop_api made by the role of *conn*: views, a function, a partitioned table."""
    sql.run(conn, ["security/trial/surface.sql"])


def with_surface(intent: Intent) -> Intent:
    """*intent* and what it says of the surface: visits belong to users, who read and add their own.

    Nobody may use the views or the function: no rule allows it.
    """
    program = next(each.name for each in intent.roles if each.identified == "token")
    return replace(
        intent,
        owners={**intent.owners, VISITS: RowOwner(VISITS, column="user_id")},
        rules=(*intent.rules, Rule(program, (VISITS,), ("select", "insert"), rows="own")),
    )
