"""Extensions that a script asks for: created where they are safe, stood in for where they are missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pglast import ast
from psycopg2 import sql

from workbench.engines.postgres import Connection
from workbench.script.sanitize import ExtensionUse, Plan, Step
from workbench.sql import fetch, path, read

CORE_FUNCTIONS = "core functions"
DECLARED = "declared types and functions"
_ON_EXTENSION = re.compile(r"(?:comment\s+on|drop|alter)\s+extension\b", re.IGNORECASE)
# Not trusted by PostgreSQL, since their scripts run as a superuser, and yet safe to make in an empty
# database: none reaches files, the network or other sessions for a role without rights.
SAFE = frozenset(
    [
        "amcheck",
        "autoinc",
        "bloom",
        "dict_xsyn",
        "earthdistance",
        "hll",
        "hypopg",
        "insert_username",
        "intagg",
        "ip4r",
        "moddatetime",
        "pageinspect",
        "periods",
        "pg_buffercache",
        "pg_freespacemap",
        "pg_prewarm",
        "pg_stat_statements",
        "pg_trgm",
        "pg_uuidv7",
        "pg_visibility",
        "pg_walinspect",
        "pgrowlocks",
        "pgstattuple",
        "pgtap",
        "postgis",
        "postgis_topology",
        "prefix",
        "refint",
        "rum",
        "semver",
        "vector",
    ]
)


@dataclass(frozen=True)
class StandIn:
    """What took the place of an extension; *lines* are those of its CREATE EXTENSION."""

    extension: str
    how: str
    lines: tuple[int, ...]
    objects: tuple[str, ...]


@dataclass
class Extensions:
    """What becomes of each extension that the script asks for."""

    beforehand: list[ExtensionUse] = field(default_factory=list)
    core: dict[str, list[int]] = field(default_factory=dict)
    missing: dict[str, list[int]] = field(default_factory=dict)
    declared: dict[str, None] = field(default_factory=dict)

    def stood_in(self) -> tuple[StandIn, ...]:
        """The stand-ins, by name."""
        core = [
            StandIn(name, CORE_FUNCTIONS, tuple(lines), stand_in_names(name))
            for name, lines in self.core.items()
        ]
        declared = [
            StandIn(name, DECLARED, tuple(lines), tuple(self.declared))
            for name, lines in self.missing.items()
        ]
        return tuple(sorted(core + declared, key=lambda each: each.extension))


def stand_in_names(extension: str) -> tuple[str, ...]:
    """The functions that stand in for *extension*."""
    lines = read(f"script/stand_ins/{extension}.sql").splitlines()
    heads = [
        line.partition("{prefix}")[2]
        for line in lines
        if line.startswith("create or replace function {prefix}")
    ]
    return tuple(dict.fromkeys(head.split("(")[0] for head in heads))


def _core_functions(conn: Connection, use: ExtensionUse) -> str:
    prefix = sql.SQL("{}.").format(sql.Identifier(use.schema)) if use.schema else sql.SQL("")
    return sql.SQL(read(f"script/stand_ins/{use.name}.sql")).format(prefix=prefix).as_string(conn)


def resolve_extensions(conn: Connection, plan: Plan) -> tuple[Plan, Extensions]:
    """*plan* with each CREATE EXTENSION replaced by what this server can do.

    A trusted extension is created in its place by the loader; a safe one beforehand by the
    superuser, while nothing of the script is there that its script could be made to call.
    """
    available = {row["name"]: row["trusted"] for row in fetch(conn, "script/extensions.sql")}
    found = Extensions()
    in_place: set[str] = set()
    steps: list[Step] = []
    for step in plan.steps:
        if step.extension is not None:
            step = _resolve(conn, step, step.extension, available, found, in_place)
        steps.append(step)
    return replace(plan, steps=tuple(_without_foreign(step, in_place) for step in steps)), found


def _without_foreign(step: Step, in_place: set[str]) -> Step:
    """Leave out what only an extension's owner may do: the loader owns those that it created in place."""
    if not step.runs or not _ON_EXTENSION.match(step.item.text):
        return step
    names = _extensions_changed(getattr(step.item, "tree", None))
    return step.without(None) if names - in_place else step


def _extensions_changed(tree: Any) -> set[str]:
    """The extensions that COMMENT ON, DROP or ALTER EXTENSION names."""
    if isinstance(tree, ast.CommentStmt):
        return {tree.object.sval}  # type: ignore[union-attr]
    if isinstance(tree, ast.DropStmt):
        return {each.sval for each in tree.objects or ()}
    return {tree.extname} if tree is not None else set()


def _resolve(
    conn: Connection,
    step: Step,
    use: ExtensionUse,
    available: dict[str, bool],
    found: Extensions,
    in_place: set[str],
) -> Step:
    if available.get(use.name):
        in_place.add(use.name)
        text = sql.SQL("create extension if not exists {}").format(sql.Identifier(use.name))
        if use.schema:
            text += sql.SQL(" schema {}").format(sql.Identifier(use.schema))
        return step.instead((text + sql.SQL(" cascade;")).as_string(conn))
    if use.name in available and use.name in SAFE:
        found.beforehand.append(use)
        return step.without(None)
    if path(f"script/stand_ins/{use.name}.sql").exists() and use.name in ("uuid-ossp", "pgcrypto"):
        found.core.setdefault(use.name, []).append(use.line)
        return step.instead(_core_functions(conn, use))
    found.missing.setdefault(use.name, []).append(use.line)
    return step.without(None)


def create_beforehand(conn: Connection, uses: Sequence[ExtensionUse], owner: str) -> None:
    """Create the safe extensions in the schemas where the script expects them."""
    for use in uses:
        schema = use.schema or "public"
        conn.execute(
            sql.SQL("create schema if not exists {} authorization {}").format(
                sql.Identifier(schema), sql.Identifier(owner)
            )
        )
        conn.execute(
            sql.SQL("create extension if not exists {} schema {} cascade").format(
                sql.Identifier(use.name), sql.Identifier(schema)
            )
        )
