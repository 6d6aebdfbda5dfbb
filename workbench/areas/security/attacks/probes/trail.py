"""Probes 30 to 33 and 39: the trail forged, switched off, and read for what it should not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.changes import Change, find_change
from workbench.areas.security.attacks.probes.oracles import qualified_text
from workbench.areas.security.attacks.probes.running import (
    Sent,
    Session,
    attacking,
    attempt,
    staged,
    statement,
)
from workbench.areas.security.attacks.probes.scene import Scene, name_of
from workbench.areas.security.audit import audited_tables
from workbench.areas.security.audit.coverage import audit_coverage
from workbench.catalog.model import Table, qualified


@dataclass(frozen=True)
class Trail:
    """The trail of a target: the table of its *entries*, all its *tables*, and who may read it."""

    schema: str
    entries: tuple[str, str]
    tables: tuple[tuple[str, str], ...]
    readers: tuple[str, ...]

    @property
    def log(self) -> sql.Identifier:
        return name_of(self.entries)


def trail_of(scene: Scene, number: str) -> Trail | None:
    """The trail of the target; where there is none, a line in what was left out."""
    audit = scene.intent.audit
    if audit is None:
        scene.left_out.append(f"probe {number}: not applicable: the intent declares no audit")
        return None
    found = scene.conn.execute(statement("trail.tables"), {"schema": audit.schema}).fetchall()
    if not found:
        scene.left_out.append(f"probe {number}: not applicable: the target has no audit trail")
        return None
    tables = tuple((schema, name) for schema, name in found)
    return Trail(audit.schema, tables[0], tables, audit.readers)


def with_trail(
    number: str, probe: Callable[[Scene, Trail], Iterator[Attempt]]
) -> Callable[[Scene], Iterator[Attempt]]:
    """*probe* as one that needs a trail."""

    def attempts(scene: Scene) -> Iterator[Attempt]:
        trail = trail_of(scene, number)
        if trail is not None:
            yield from probe(scene, trail)

    return attempts


def forged_entries(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """30: entries written, changed and deleted by the roles that should be under audit."""
    audit_owner = [each.name for each in scene.intent.roles if each.kind == "audit owner"]
    owners = [each for each in audit_owner if each in scene.roles_found]
    for table in trail.tables:
        column = scene.catalog.table(*table).columns[-1].name if _known(scene, table) else None
        for role in (*(each.name for each in scene.logins), *owners):
            with staged(scene.target) as session:
                session.become(role, assume=False)
                for name in ("insert", "update", "delete", "truncate"):
                    if role in owners and (name == "insert" or scene.target.design is None):
                        continue
                    if name == "update" and column is None:
                        continue
                    sent = session.run(
                        f"trail.{name}", table=name_of(table), column=sql.Identifier(column or "")
                    )
                    appends_only = role in owners and sent.sqlstate == "42501"
                    nothing_there = (
                        role in owners and sent.accepted and sent.rowcount == 0 and name != "truncate"
                    )
                    refers = role in owners and sent.sqlstate == "0A000"  # its foreign keys are in the way
                    watched = table[1] == "watched" and role in owners  # the registry is its owner's to keep
                    yield attempt(
                        "30",
                        f"{name} in the trail",
                        role,
                        sent,
                        reached=not (sent.lacks_privilege or appends_only or nothing_there or refers),
                        declared="residual" if watched else "refused",
                        identity="",
                        table=table,
                        operation=name,
                    )


def _known(scene: Scene, table: tuple[str, str]) -> bool:
    return any((each.schema, each.name) == table for each in scene.catalog.tables)


def forging_functions(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """31: the trail's own functions, called directly, or put on a table of the attacker's."""
    with scene.conn.cursor() as cur:
        cur.execute(statement("trail.functions"), {"schema": trail.schema})
        functions = cur.fetchall()
        cur.execute(statement("trail.trigger_functions"), {"schema": trail.schema})
        triggers = cur.fetchall()
    for role in scene.logins:
        if role.name not in trail.readers:
            for name, is_trigger, kind, types in functions:
                if is_trigger:
                    continue
                arguments = sql.SQL(", ").join(sql.SQL("null::" + each) for each in types)
                verb = sql.SQL("call {}({})") if kind == "p" else sql.SQL("select {}({})")
                with attacking(scene.target, role.name) as session:
                    sent = session.send(verb.format(name_of((trail.schema, name)), arguments))
                    yield attempt(
                        "31",
                        f"call {qualified(trail.schema, name)}({', '.join(types)})",
                        role.name,
                        sent,
                        reached=not sent.lacks_privilege,
                        identity="",
                        operation="execute",
                    )
        for schema, name in triggers:
            with attacking(scene.target, role.name) as session:
                own = session.run("trail.own_table")
                sent = (
                    session.run("trail.own_trigger", function=name_of((schema, name)))
                    if own.accepted
                    else own
                )
                if sent.accepted:
                    sent = session.run("trail.own_row")
                yield attempt(
                    "31",
                    f"{qualified(schema, name)} as the trigger of an own table",
                    role.name,
                    sent,
                    reached=not sent.lacks_privilege,
                    identity="",
                    operation="execute",
                    detail="a forged entry was written" if sent.accepted else "",
                )


def switched_off(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """32: the owner of a table switches its audit off; the registry must say so, and nothing before."""
    yield from _gaps_found(scene)
    for table, change in changeable(scene, trail, most=2):
        name = (table.schema, table.name)
        for what in ("disable_triggers", "drop_triggers"):
            with staged(scene.target) as session:
                triggers = session.run(
                    "trail.triggers_of", {"table": qualified_text(name), "schema": trail.schema}
                )
                if what == "drop_triggers" and not triggers.rows:
                    continue
                session.become(table.owner, assume=False)
                sent = session.run(
                    f"trail.{what}", table=name_of(name), trigger=sql.Identifier(triggers.value or "")
                )
                session.back()
                if what == "drop_triggers":
                    for (each,) in triggers.rows[1:]:
                        session.run("trail.drop_triggers", table=name_of(name), trigger=sql.Identifier(each))
                silent = sent.accepted and entries_of(session, trail, change)[1] == 0
                noticed = gaps(scene, session, name)
                yield attempt(
                    "32",
                    what.replace("_", " ") + " of an audited table",
                    table.owner,
                    sent,
                    reached=silent and not noticed,
                    identity="",
                    table=name,
                    operation="trigger",
                    detail=f"the registry says: {'; '.join(noticed[:2])}" if noticed else "",
                )


def _gaps_found(scene: Scene) -> Iterator[Attempt]:
    """What the registry says of the target as it is: where it says anything, something leaves no trace."""
    if scene.target.design is None:
        return
    found = audit_coverage(scene.conn, scene.intent, scene.target.place.catalog)
    told = [f"{gap.relation}: {gap.part} {gap.problem}" for gap in found]
    superuser = scene.target.place.server.user
    yield attempt(
        "32",
        "a gap that the registry finds at once",
        superuser,
        Sent("the registry's comparison with what was declared"),
        reached=bool(found),
        identity="",
        rows=len(found),
        detail="; ".join(told[:3]),
    )


def gaps(scene: Scene, session: Session, name: tuple[str, str]) -> list[str]:
    """What the registry says of the table *name*; nothing where the target has no registry."""
    if scene.target.design is None:
        return []
    found = audit_coverage(session.conn, scene.intent, scene.target.place.catalog)
    return [f"{gap.part} {gap.problem}" for gap in found if gap.table in (name, None)]


def replica_role(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """33: with session_replication_role = replica ordinary triggers do not fire."""
    for role in scene.logins:
        with attacking(scene.target, role.name) as session:
            sent = session.run("trail.replica")
            yield attempt(
                "33", "set session_replication_role", role.name, sent, reached=sent.accepted, identity=""
            )
    superuser = scene.target.place.server.user
    for table, change in changeable(scene, trail, most=3):
        with staged(scene.target) as session:
            session.run("trail.replica")
            sent, entries = entries_of(session, trail, change)
            yield recorded("33", "a superuser's change as a replica", superuser, sent, entries, 1, table)


def plaintext(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """39: values of labelled columns must not be in the trail, neither the old one nor the new."""
    audited = {(each.schema, each.name): each for each in audited_tables(scene.intent, scene.catalog)}
    superuser = scene.target.place.server.user
    for label in scene.intent.labels:
        for schema, name, column in label.columns:
            if label.audited == "kept" or (schema, name) not in audited:
                continue
            sent, leaked = _changed_value(scene, trail, (schema, name), column)
            if sent is None:
                scene.left_out.append(
                    f"probe 39: {qualified(schema, name, column)}: no value of at least four characters is "
                    "there, or none that may be changed"
                )
                continue
            yield attempt(
                "39",
                f"a value of {column} ({label.name}) in the trail",
                superuser,
                sent,
                reached=leaked > 0,
                identity="",
                table=(schema, name),
                operation="update",
                rows=leaked,
                detail=f"the old value stands in {leaked} entries" if leaked else "",
            )


def _changed_value(
    scene: Scene, trail: Trail, table: tuple[str, str], column: str
) -> tuple[Sent | None, int]:
    parts = {"table": name_of(table), "column": sql.Identifier(column)}
    with staged(scene.target) as session:
        found = session.run("trail.a_value", **parts)
        if not found.rows:
            return None, 0
        value, other = found.rows[0]
        mentions = {"text": value}
        before = session.run("trail.mentions", mentions, log=trail.log).value or 0
        for new in (f"{value}x", other, None):
            sent = session.run("trail.change_value", {"value": value, "new": new}, **parts)
            if sent.accepted:
                break
        else:
            sent = session.run("trail.remove_value", {"value": value}, **parts)
            if not sent.accepted:
                return None, 0
        after = session.run("trail.mentions", mentions, log=trail.log).value or 0
        return sent, after - before


def changeable(scene: Scene, trail: Trail, *, most: int | None = None) -> Iterator[tuple[Table, Change]]:
    """The audited tables of which a row can be changed, and the change; what has none is told once."""
    if scene.changes is None:
        scene.changes = []
        with staged(scene.target) as session:
            for table in audited_tables(scene.intent, scene.catalog):
                change = find_change(session, table) or find_change(session, table, of_key=True)
                if change is None:
                    why = "no row of it may be changed" if table.primary_key else "it has no primary key"
                    scene.left_out.append(f"probes 32 to 36: not applicable to {table.qualified}: {why}")
                else:
                    scene.changes.append((table, change))
    yield from scene.changes[:most]


def count(session: Session, trail: Trail) -> int:
    return int(session.run("trail.count", log=trail.log).value or 0)


def entries_of(session: Session, trail: Trail, change: Change) -> tuple[Sent, int]:
    """What the server said to *change*, and how many entries it made."""
    before = count(session, trail)
    sent = change.send(session)
    return sent, count(session, trail) - before


def recorded(
    number: str, name: str, role: str, sent: Sent, entries: int, expected: int | None, table: Table
) -> Attempt:
    """Reached where the change left no entry; with *expected*, also where it left another number of them."""
    wrong = entries == 0 or (expected is not None and entries < expected)
    return attempt(
        number,
        name,
        role,
        sent,
        reached=sent.accepted and wrong,
        identity="",
        table=(table.schema, table.name),
        operation="update",
        rows=entries,
        detail=f"entries: {entries}" if sent.accepted else "",
    )
