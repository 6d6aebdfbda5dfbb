"""Statements that give and take privileges."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import sql as composed

from workbench.areas.security.design.text import NOTHING, raw, render, roles


def on_database(statement: str, grantee: str = "") -> str:
    return render(
        "database_privileges", statement=composed.Literal(statement), grantee=composed.Literal(grantee)
    )


def grant(
    privileges: str | composed.Composable,
    kind: str,
    objects: composed.Composable,
    grantees: Sequence[str],
) -> str:
    return render(
        "grant",
        privileges=raw(privileges) if isinstance(privileges, str) else privileges,
        kind=raw(kind),
        objects=objects,
        grantees=roles(grantees),
        option=NOTHING,
    )


def revoke(
    privileges: str | composed.Composable,
    kind: str,
    objects: composed.Composable,
    grantees: Sequence[str],
) -> str:
    return render(
        "revoke",
        privileges=raw(privileges) if isinstance(privileges, str) else privileges,
        kind=raw(kind),
        objects=objects,
        grantees=roles(grantees),
    )
