"""Probes 8, 10 and 11: hidden rows that give themselves away without being read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.rows import new_row
from workbench.areas.security.attacks.probes.running import (
    Sent,
    Session,
    attacking,
    attempt,
    staged,
    statement,
)
from workbench.areas.security.attacks.probes.scene import Owned, Scene, names

_PROBE = sql.Identifier("wb_probe")
_ABSENT = "wb-absent"


def leaky_functions(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """8: a cheap function that prints what it is given is put before the policy's condition."""
    a = scene.target.identities.a
    with attacking(scene.target, app, a) as session:
        sent = session.run("oracles.leaky_function", schema=sql.Identifier("pg_temp"))
        if sent.accepted:
            sent = session.run(
                "oracles.leak", table=subject.identifier, key=subject.key, schema=sql.Identifier("pg_temp")
            )
        yield _leaked("a function of the attacker's over the table", app, sent, subject)
    with attacking(scene.target, app, a) as session:
        sent = session.run("oracles.leakproof_function", schema=sql.Identifier("pg_temp"))
        yield attempt("8", "a function of the attacker's called leakproof", app, sent, reached=sent.accepted)
    with _stage(scene, subject) as session:
        session.become(app, a)
        sent = session.run("oracles.leak", table=subject.identifier, key=subject.key, schema=_PROBE)
        yield _leaked("a function of the owner's over the table", app, sent, subject)
    for kind in ("filtered_view", "barrier_view"):
        with _stage(scene, subject) as session:
            made = session.run(
                f"oracles.{kind}",
                table=subject.identifier,
                key=subject.key,
                keys=sql.Literal(list(subject.a)),
            )
            session.run("oracles.grant_view", role=sql.Identifier(app))
            session.become(app, a)
            shown = sql.Identifier("wb_probe", "shown")
            sent = session.run("oracles.leak_from_view", view=shown, schema=_PROBE)
            name = "plain view" if kind == "filtered_view" else "security_barrier view"
            yield _leaked(
                f"a function over a {name} of the owner's", app, sent if made.accepted else made, subject
            )


def _leaked(name: str, role: str, sent: Sent, owned: Owned) -> Attempt:
    printed = {each.partition("leaked ")[2].strip() for each in sent.notices if "leaked " in each}
    seen, own = len(printed & set(owned.b)), len(printed & set(owned.a))
    return attempt(
        "8",
        name,
        role,
        sent,
        reached=seen > 0,
        table=owned.name,
        operation="select",
        row="other",
        rows=seen if sent.accepted else None,
        detail=f"{seen} hidden rows and {own} own ones printed" if sent.accepted else "",
    )


class _stage:  # noqa: N801 - read as a function
    """A staged session in which the table's owner has a schema with a leaky function."""

    def __init__(self, scene: Scene, owned: Owned) -> None:
        self._scene, self._owned = scene, owned
        self._within = staged(scene.target)

    def __enter__(self) -> Session:
        session = self._within.__enter__()
        owner = self._scene.actual_owner(self._owned.name)
        session.run("oracles.scratch_schema")
        session.run("oracles.give_schema", role=sql.Identifier(owner))
        session.become(owner, assume=False)
        session.run("oracles.leaky_function", schema=_PROBE)
        session.send("grant usage on schema wb_probe to public")
        session.send("grant execute on all functions in schema wb_probe to public")
        return session

    def __exit__(self, *what: Any) -> None:
        self._within.__exit__(*what)


def estimates(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """10: the planner's estimate for a value, of the plan or of a scan in it, tells how common it is."""
    found = [_estimated(scene, app, *candidate) for candidate in _common_values(scene)]
    if found:
        yield max(found, key=lambda each: (each.observed == "reached", each.rows or 0))
    else:
        scene.left_out.append("probe 10: not applicable: no text column with a common value was analysed")
    with attacking(scene.target, app, scene.target.identities.a) as session:
        for owned in scene.owned:
            sent = session.run("oracles.statistics", {"schema": owned.name[0], "name": owned.name[1]})
            yield attempt(
                "10",
                "common values in pg_stats",
                app,
                sent,
                reached=bool(sent.value),
                table=owned.name,
                operation="select",
                row="any",
                rows=sent.value,
            )


def _estimated(scene: Scene, app: str, owned: Owned, column: str, value: str) -> Attempt:
    with attacking(scene.target, app, scene.target.identities.a) as session:
        session.run("oracles.no_seqscans")
        session.run("oracles.no_indexes")
        common, absent = (
            session.run(
                "oracles.estimate",
                table=owned.identifier,
                column=sql.Identifier("t", column),
                value=sql.Literal(each),
            )
            for each in (value, _ABSENT)
        )
    most, least = (max(plan_rows(each), default=0) for each in (common, absent))
    return attempt(
        "10",
        "the estimate for a common value",
        app,
        common,
        reached=most > least + 1,
        declared="residual",
        table=owned.name,
        operation="select",
        row="other",
        rows=most,
        detail=f"rows={most} for {column} = {value!r}, {least} for an absent value"
        if common.accepted
        else "",
    )


def _common_values(scene: Scene) -> list[tuple[Owned, str, str]]:
    """Tables, columns and common values; of tables with row security where any has it."""
    secured = [each for each in scene.owned if each.table.row_security]
    return [
        (owned, column, value)
        for owned in secured or scene.owned
        for column, value in scene.conn.execute(
            statement("oracles.common_values"),
            {"table": qualified_text(owned.name), "schema": owned.name[0], "name": owned.name[1]},
        ).fetchall()
    ]


def plan_rows(sent: Sent, field: str = "Plan Rows") -> list[int]:
    """The *field* of each node of the plan that an EXPLAIN (format json) gave; empty where it was refused."""
    plans = sent.value if isinstance(sent.value, list) else json.loads(sent.value or "[]")
    waiting, found = [each["Plan"] for each in plans], []
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", ())
        if field in node:
            found.append(int(node[field]))
    return found


def qualified_text(name: tuple[str, str]) -> str:
    """A table's name as a text for ``::regclass``; every part is quoted."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)


def unique_keys(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """11: a unique key over all rows tells whether a hidden row has a value."""
    tried = [
        (owned, key)
        for owned in scene.owned
        if scene.may(app, owned.name, "insert") or not owned.table.row_security
        for key in scene.unique_keys(owned)[:1]
    ]
    if not tried:
        scene.left_out.append(
            f"probe 11: not applicable: no table that {app} inserts into has a unique key without the owner"
        )
    for owned, key in tried:
        columns, values = _row_with_key_of(scene, owned, key)
        parts = {
            "table": owned.identifier,
            "columns": names(columns),
            "values": sql.SQL(", ").join(map(sql.Literal, values)),
            "key_columns": names(key),
            "column": sql.Identifier(scene.writable_column(app, owned)),
        }
        with attacking(scene.target, app, scene.target.identities.a) as session:
            sent = session.run("rows.insert", **parts)
            if sent.sqlstate[:2] in ("23", "P0") and sent.sqlstate != "23505":
                scene.left_out.append(
                    f"probe 11: {owned.table.qualified}: rules of the table refuse the row before its key is "
                    f"looked at: {sent.message}"
                )
                continue
            yield _told(app, "insert with a hidden key", sent, owned, key, reached=sent.sqlstate == "23505")
            sent = session.run("rows.insert_or_nothing", **parts)
            empty = sent.accepted and sent.rowcount == 0
            yield _told(app, "ON CONFLICT DO NOTHING with a hidden key", sent, owned, key, reached=empty)
            sent = session.run("rows.insert_or_update", **parts)
            yield attempt(
                "11",
                f"ON CONFLICT DO UPDATE of a hidden row by {', '.join(key)}",
                app,
                sent,
                reached=sent.accepted and sent.rowcount > 0,
                table=owned.name,
                operation="update",
                row="other",
                rows=sent.rowcount if sent.accepted else None,
            )


def _told(app: str, name: str, sent: Sent, owned: Owned, key: tuple[str, ...], *, reached: bool) -> Attempt:
    return attempt(
        "11",
        f"{name} by {', '.join(key)}",
        app,
        sent,
        reached=reached,
        declared="residual",
        table=owned.name,
        operation="insert",
        row="other",
        detail=f"a key of all rows: {sent.message}" if reached and sent.message else sent.message,
    )


def _row_with_key_of(
    scene: Scene, owned: Owned, key: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """A row of A with the unique *key* of a row of B."""
    columns, values = new_row(scene, owned, owned.a[0])
    row = dict(zip(columns, values, strict=True))
    row.update(zip(key, scene.row_values(owned, owned.b[0], key), strict=True))
    return tuple(row), tuple(row.values())
