"""Probes 34 to 38: writes that could leave no entry in the trail."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.changes import find_change
from workbench.areas.security.attacks.probes.rows import insertable_of, new_row
from workbench.areas.security.attacks.probes.running import attempt, staged
from workbench.areas.security.attacks.probes.scene import Owned, Scene, name_of, names
from workbench.areas.security.attacks.probes.trail import (
    Trail,
    changeable,
    count,
    entries_of,
    gaps,
    recorded,
)
from workbench.areas.security.audit import audited_tables
from workbench.catalog.model import Table


def truncations(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """34: TRUNCATE fires no row trigger."""
    tried = 0
    with staged(scene.target) as session:
        for table in audited_tables(scene.intent, scene.catalog):
            with session.undone():
                before = count(session, trail)
                session.become(table.owner, assume=False)
                sent = session.run("trail.truncate", table=name_of((table.schema, table.name)))
                session.back()
                entries = count(session, trail) - before
            if sent.sqlstate == "0A000":  # other tables refer to it
                continue
            tried += 1
            yield attempt(
                "34",
                "a truncation that leaves no entry",
                table.owner,
                sent,
                reached=sent.accepted and entries == 0,
                identity="",
                table=(table.schema, table.name),
                operation="truncate",
                rows=entries,
            )
    if not tried:
        scene.left_out.append("probe 34: not applicable: every audited table is referred to by another")


def partition_writes(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """35: a partition written by its own name, where statement triggers of the whole do not fire."""
    superuser = scene.target.place.server.user
    for leaf, _ in _leaves(scene, "35"):
        with staged(scene.target) as session:
            change = find_change(session, leaf)
            if change is not None:
                sent, entries = entries_of(session, trail, change)
                yield recorded("35", "a partition written by its name", superuser, sent, entries, 1, leaf)


def detached_partitions(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """38: a partition that is detached and written then; the registry must say so."""
    superuser = scene.target.place.server.user
    for leaf, root in _leaves(scene, "38"):
        with staged(scene.target) as session:
            change = find_change(session, leaf)
            if change is None:
                continue
            session.run(
                "trail.detach",
                parent=name_of((root.schema, root.name)),
                leaf=name_of((leaf.schema, leaf.name)),
            )
            noticed = gaps(scene, session, (root.schema, root.name))
            sent, entries = entries_of(session, trail, change)
            yield attempt(
                "38",
                "a partition detached and then written",
                superuser,
                sent,
                reached=sent.accepted and entries == 0 and not noticed,
                identity="",
                table=(leaf.schema, leaf.name),
                operation="update",
                rows=entries,
                detail=f"the registry says: {'; '.join(noticed[:2])}" if noticed else "",
            )


def _leaves(scene: Scene, number: str) -> list[tuple[Table, Table]]:
    """Up to three partitions of audited tables, each with its table."""
    found = [
        (leaf, root)
        for root in audited_tables(scene.intent, scene.catalog)
        if root.kind == "partitioned table"
        for leaf in scene.catalog.tables
        if leaf.partition_of == (root.schema, root.name) and leaf.kind == "table"
    ]
    if not found:
        scene.left_out.append(f"probe {number}: not applicable: no audited table has partitions")
    return found[:3]


def exact_counts(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """36: one row changed in any way is one entry: by UPDATE, ON CONFLICT, MERGE, COPY and DELETE."""
    superuser = scene.target.place.server.user
    with staged(scene.target) as session:
        for table, change in changeable(scene, trail):
            with session.undone():
                sent, entries = entries_of(session, trail, change)
            yield recorded("36", "UPDATE of a row", superuser, sent, entries, 1, table)
    for table, change in changeable(scene, trail, most=3):
        assert table.primary_key is not None
        kept = [each.name for each in table.columns if not each.generated]
        for name, statement_name in (
            ("ON CONFLICT DO UPDATE", "add_copy"),
            ("MERGE", "merge_change"),
            ("DELETE", "remove"),
        ):
            with staged(scene.target) as session:
                before = count(session, trail)
                sent = session.run(
                    f"trail.{statement_name}",
                    {"key": change.key},
                    table=name_of((table.schema, table.name)),
                    columns=names(kept),
                    key_columns=names(table.primary_key.columns),
                    source_key=sql.SQL("row({})::text").format(names(table.primary_key.columns, "s")),
                    key=change.row_key,
                    column=sql.Identifier(change.column),
                    expression=change.expression,
                )
                entries = count(session, trail) - before
                if sent.accepted and sent.rowcount:
                    yield recorded("36", f"{name} of a row", superuser, sent, entries, 1, table)
    owned = insertable_of(scene, scene.app.name) if scene.app else None
    if owned is not None and any(
        (each.schema, each.name) == owned.name for each in audited_tables(scene.intent, scene.catalog)
    ):
        yield from _copied(scene, trail, owned)


def _copied(scene: Scene, trail: Trail, owned: Owned) -> Iterator[Attempt]:
    columns, values = new_row(scene, owned, owned.a[0])
    line = "\t".join("\\N" if value is None else value for value in values) + "\n"
    with staged(scene.target) as session:
        before = count(session, trail)
        sent = session.copy_in(
            sql.SQL("copy {} ({}) from stdin").format(owned.identifier, names(columns)), line
        )
        if sent.accepted:
            entries = count(session, trail) - before
            superuser = scene.target.place.server.user
            yield attempt(
                "36",
                "COPY FROM of a row",
                superuser,
                sent,
                reached=entries == 0,
                identity="",
                table=owned.name,
                operation="insert",
                rows=entries,
                detail=f"{entries} entries, of this row and what its triggers wrote",
            )


def changed_keys(scene: Scene, trail: Trail) -> Iterator[Attempt]:
    """37: an entry must hold the old key and the new one where the key itself is changed."""
    superuser = scene.target.place.server.user
    tried = 0
    for table in audited_tables(scene.intent, scene.catalog):
        if tried == 3:
            break
        with staged(scene.target) as session:
            change = find_change(session, table, of_key=True)
            if change is None:
                continue
            tried += 1
            sent, entries = entries_of(session, trail, change)
        yield recorded("37", "a row given another key", superuser, sent, entries, None, table)
    if not tried:
        scene.left_out.append("probe 37: not applicable: no audited table lets its key be changed")
