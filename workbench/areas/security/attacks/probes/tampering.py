"""Probe 40: entries changed by who may do everything, and whether anybody can tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg2
from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.running import Sent, Session, attempt, staged
from workbench.areas.security.attacks.probes.scene import Scene, name_of
from workbench.areas.security.attacks.probes.trail import Trail, changeable
from workbench.areas.security.audit.sealing import Anchor, seal, verify

_WAYS = {
    "an entry changed": ("trail.tamper_update",),
    "an entry deleted": ("trail.tamper_delete",),
    "an entry deleted and all seals made anew": (
        "trail.tamper_delete",
        "trail.forget_months",
        "trail.forget_seals",
    ),
}


def tampered_entries(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """40: the superuser and the trail's owner change what was recorded, triggers switched off before."""
    roles = [
        scene.target.place.server.user,
        *(each.name for each in scene.intent.roles if each.kind == "audit owner" and scene.target.design),
    ]
    changes = list(changeable(scene, trail, most=1))
    if not changes:
        scene.left_out.append("probe 40: not applicable: no audited table has a row that may be changed")
        return
    change = changes[0][1]
    if scene.target.design is None:
        with staged(scene.target) as session:
            for _, each in changeable(scene, trail):
                each.send(session)
            yield from _tampered(session, trail, roles, None)
        return
    try:
        with scene.copy("tampered") as name:
            target = replace(scene.target, database=name)
            with target.place.server.session(name) as conn:
                conn.execute("begin")
                sent = change.send(Session(target, conn))
                conn.execute("commit")
                anchor = seal(conn, schema=trail.schema)
                if not sent.accepted or not anchor.entries:
                    scene.left_out.append("probe 40: not applicable: the trail has no entry to tamper with")
                    return
                conn.execute("begin")
                yield from _tampered(Session(target, conn), trail, roles, anchor)
                conn.execute("rollback")
    except psycopg2.errors.ObjectInUse:
        scene.left_out.append(
            "probe 40: not applicable: others are connected to the target, so it cannot be copied"
        )


def _tampered(session: Session, trail: Trail, roles: list[str], anchor: Anchor | None) -> Iterator[Attempt]:
    for role in roles:
        for name, steps in _WAYS.items():
            if anchor is None and len(steps) > 1:
                continue
            session.conn.execute("savepoint before_tampering")
            session.become(role, assume=False)
            for table in trail.tables:
                session.run("trail.disable_triggers", table=name_of(table))
            sent = Sent("")
            for step in steps:
                sent = session.run(
                    step,
                    {"value": "somebody else"},
                    log=trail.log,
                    column=sql.Identifier("actor" if anchor else "table_name"),
                    schema=sql.Identifier(trail.schema),
                )
                if not sent.accepted:
                    break
            session.back()
            if len(steps) > 1 and sent.accepted:
                seal(session.conn, schema=trail.schema)
            found = verify(session.conn, [anchor], schema=trail.schema) if anchor else []
            session.conn.execute("rollback to savepoint before_tampering")
            told = ", ".join(dict.fromkeys(each.kind for each in found))
            yield attempt(
                "40",
                f"{name}, unseen",
                role,
                sent,
                reached=sent.accepted and sent.rowcount > 0 and not found,
                identity="",
                table=trail.entries,
                operation="tamper",
                detail=f"the chain and its anchor tell: {told}" if told else "",
            )
