"""What the intent allows must work: each login makes its writes, with everything that hangs on them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import groupby

import psycopg2
from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.running import Sent, Session, attacking, attempt, statement
from workbench.areas.security.attacks.probes.scene import Scene
from workbench.areas.security.attacks.probes.valid_writes import Effects, ValidWrite, effects, since
from workbench.areas.security.audit import audited_tables
from workbench.areas.security.intent.model import Operation
from workbench.areas.security.intent.permissions import hidden_columns
from workbench.catalog.model import qualified
from workbench.errors import EngineError


def inserted(scene: Scene) -> Iterator[Attempt]:
    """W1: rows that are valid, with their parts where they have some."""
    return _attempts(scene, "W1", "insert")


def changed(scene: Scene) -> Iterator[Attempt]:
    """W2: each column that may be changed, to a value that it had not."""
    return _attempts(scene, "W2", "update")


def deleted(scene: Scene) -> Iterator[Attempt]:
    """W3: a row that nothing else holds."""
    return _attempts(scene, "W3", "delete")


def _attempts(scene: Scene, number: str, operation: Operation) -> Iterator[Attempt]:
    found = scene.valid_writes
    scene.left_out += [f"probe {number}: {each}" for each in found.left_out(operation)]
    chosen = [each for each in found.writes if each.operation == operation and scene.concerns(each.table)]
    for (role, identity), writes in groupby(chosen, key=lambda each: (each.role, each.identity)):
        try:
            conn = scene.target.connect(role, identity or None)
        except (psycopg2.Error, EngineError) as exc:
            words = str(exc).strip().splitlines()[-1]
            yield from (_attempt(number, each, Sent("connect", "28000", words)) for each in writes)
            continue
        with contextlib.closing(conn):
            for each in writes:
                yield _attempt(number, each, *_sent(Session(scene.target, conn), each))


def _sent(session: Session, write: ValidWrite) -> tuple[Sent, str]:
    """What the server said to *write*, with every constraint checked after it; all is taken back.

    The row count is the smallest of its statements, so that one that found no row is not hidden by another.
    And what its triggers did otherwise than for a superuser, nothing where they did the same.
    """
    conn = session.conn
    conn.execute("begin")
    try:
        before = effects(conn)
        said = [session.send(write.statements[0])]
        for text in write.statements[1:]:
            if said[-1].accepted:
                said.append(session.send(text))
        checked = session.run("working.everything_checked") if said[-1].accepted else said[-1]
        done = since(before, effects(conn)) if checked.accepted else {}
    finally:
        conn.execute("rollback")
    text = "; ".join(each.text for each in said)
    sent = Sent(text, checked.sqlstate, checked.message, rowcount=min(each.rowcount for each in said))
    known = write.effects if checked.accepted else None
    return sent, _otherwise(known, done) if known is not None else ""


def _otherwise(expected: Effects, done: Effects) -> str:
    for name in sorted({*expected, *done}):
        if expected.get(name) != done.get(name):
            there, here = (each.get(name, (0, 0, 0)) for each in (expected, done))
            counted = ", ".join(
                f"{now} of {then} rows {what}"
                for now, then, what in zip(here, there, ("inserted", "updated", "deleted"), strict=True)
                if now != then
            )
            return f"{name}: {counted}"
    return ""


def _attempt(number: str, write: ValidWrite, sent: Sent, otherwise: str = "") -> Attempt:
    return attempt(
        number,
        f"{write.operation} {write.part}",
        write.role,
        sent,
        reached=sent.accepted and sent.rowcount > 0 and not otherwise,
        declared="allowed",
        identity="A" if write.identity else "",
        table=write.table,
        operation=write.operation,
        rows=sent.rowcount if sent.accepted else None,
        detail=otherwise,
    )


def compared(scene: Scene) -> Iterator[Attempt]:
    """W4: columns that may be read are compared, by operators that a type brings along in its own schema."""
    schemas = list(scene.target.place.catalog.schemas)
    found = scene.conn.execute(statement("working.equalities"), {"schemas": schemas}).fetchall()
    for role in scene.logins:
        chosen = [
            each
            for each in found
            if any(
                not rule.columns or each[2] in rule.columns
                for rule in scene.may(role.name, each[:2], "select")
            )
            and each[2] not in hidden_columns(scene.intent, role.name, each[:2])
        ]
        if not chosen:
            continue
        with attacking(scene.target, role.name) as session:
            for schema, name, column, place, operator in chosen:
                sent = session.run(
                    "working.compared",
                    table=sql.Identifier(schema, name),
                    column=sql.Identifier(column),
                    schema=sql.Identifier(place),
                    operator=sql.SQL(operator),
                )
                yield attempt(
                    "W4",
                    f"{qualified(column)} compared",
                    role.name,
                    sent,
                    reached=sent.accepted,
                    declared="allowed",
                    identity="",
                    table=(schema, name),
                    operation="select",
                )


def trail_read(scene: Scene) -> Iterator[Attempt]:
    """W5: a reader of the trail reads its tables; there is none where nothing is audited."""
    audit = scene.intent.audit
    if audit is None or scene.target.design is None:
        return
    if not audited_tables(scene.intent, scene.catalog):
        return
    for role in scene.logins:
        if not set(audit.readers) & set(scene.intent.lineages[role.name]):
            continue
        with attacking(scene.target, role.name) as session:
            for name in ("log", "watched", "seals"):
                table = (audit.schema, name)
                sent = session.run("working.trail_read", table=sql.Identifier(*table))
                yield attempt(
                    "W5",
                    "the trail read",
                    role.name,
                    sent,
                    reached=sent.accepted,
                    declared="allowed",
                    identity="",
                    table=table,
                    operation="select",
                )


def identity_asked(scene: Scene) -> Iterator[Attempt]:
    """W6: a program asks for whom it acts, by the name of the function that the policies ask."""
    if scene.target.design is None or scene.intent.identity is None:
        return
    for role in scene.logins:
        if role.identified != "token":
            continue
        with attacking(scene.target, role.name, scene.target.identities.a) as session:
            sent = session.run("working.identity", schema=sql.Identifier(scene.intent.schema))
        yield attempt(
            "W6",
            "the identity asked for",
            role.name,
            sent,
            reached=sent.accepted and sent.value == scene.target.identities.a,
            declared="allowed",
            operation="execute",
        )
