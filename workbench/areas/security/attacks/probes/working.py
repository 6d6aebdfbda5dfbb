"""What the intent allows must work: each login makes its writes, with everything that hangs on them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import groupby

import psycopg2

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.running import Sent, Session, attempt
from workbench.areas.security.attacks.probes.scene import Scene
from workbench.areas.security.attacks.probes.valid_writes import ValidWrite
from workbench.areas.security.intent.model import Operation
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
                yield _attempt(number, each, _sent(Session(scene.target, conn), each))


def _sent(session: Session, write: ValidWrite) -> Sent:
    """What the server said to *write*, with every constraint checked after it; all is taken back.

    The row count is the smallest of its statements, so that one that found no row is not hidden by another.
    """
    session.conn.execute("begin")
    try:
        said = [session.send(write.statements[0])]
        for text in write.statements[1:]:
            if said[-1].accepted:
                said.append(session.send(text))
        checked = session.run("working.everything_checked") if said[-1].accepted else said[-1]
    finally:
        session.conn.execute("rollback")
    fewest = min(each.rowcount for each in said)
    return Sent("; ".join(each.text for each in said), checked.sqlstate, checked.message, rowcount=fewest)


def _attempt(number: str, write: ValidWrite, sent: Sent) -> Attempt:
    return attempt(
        number,
        f"{write.operation} {write.part}",
        write.role,
        sent,
        reached=sent.accepted and sent.rowcount > 0,
        declared="allowed",
        identity="A" if write.identity else "",
        table=write.table,
        operation=write.operation,
        rows=sent.rowcount if sent.accepted else None,
    )
