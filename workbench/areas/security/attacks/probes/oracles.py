"""Probes 8 and 10 to 13: hidden rows that give themselves away without being read."""

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
from workbench.areas.security.attacks.probes.scene import Owned, Scene, name_of, names
from workbench.catalog.model import Constraint, Table, qualified

_PROBE = sql.Identifier("wb_probe")
_ABSENT = "wb-absent"
_ABSENT_UUID = "00000000-0000-4000-8000-00000000dead"


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


def foreign_keys(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """12: a row that refers to a row of B tells that it is there, and links the two."""
    by_name = {each.name: each for each in scene.owned}
    tried = [
        (by_name[table.schema, table.name], key, by_name[key.references])
        for table, key in scene.foreign_keys_to_owned()
        if (table.schema, table.name) in by_name
        and key.references in by_name
        and not _is_tenant_key(scene, table, key)
    ]
    if not tried:
        scene.left_out.append("probe 12: not applicable: no foreign key leads from an owned table to another")
    for child, key, parent in tried:
        for by, sent_by in (("insert", _insert_reference), ("update", _update_reference)):
            with attacking(scene.target, app, scene.target.identities.a) as session:
                there = sent_by(scene, session, child, key, parent, absent=False)
                absent = sent_by(scene, session, child, key, parent, absent=True)
            reached = there.sqlstate != absent.sqlstate and absent.sqlstate == "23503"
            yield attempt(
                "12",
                f"{by} of a reference to another's row by {key.name}",
                app,
                there,
                reached=reached or (there.accepted and there.rowcount > 0),
                table=child.name,
                operation=by,
                row="own",
                closed_by_constraint=True,
                detail=f"{_answer(there)} for a row of another, {_answer(absent)} for an absent one",
                expected=frozenset({"22P02"}),
            )


def _answer(sent: Sent) -> str:
    return sent.sqlstate or f"{sent.rowcount} rows accepted"


def _is_tenant_key(scene: Scene, table: Table, key: Constraint) -> bool:
    owner = scene.intent.owners[table.schema, table.name]
    return owner.column is not None and key.columns == (owner.column,)


def _reference_values(
    scene: Scene, child: Owned, key: Constraint, parent: Owned, *, absent: bool
) -> dict[str, str | None]:
    owner = scene.owner_column(child.name)
    found = dict(zip(key.columns, scene.row_values(parent, parent.b[0], key.referenced_columns), strict=True))
    if owner in found:
        found[owner] = scene.target.identities.a
    if absent:
        last = next(
            name for name in reversed(key.columns) if name != owner and _distinguishes(parent, key, name)
        )
        found[last] = _absent_value(child.table.column(last).base_type)
    return found


def _distinguishes(parent: Owned, key: Constraint, column: str) -> bool:
    referenced = key.referenced_columns[key.columns.index(column)]
    return referenced in parent.keys or len(key.columns) == 1


def _absent_value(base_type: str) -> str:
    if base_type == "uuid":
        return _ABSENT_UUID
    return _ABSENT if base_type in ("text", "character varying") else "-2147483"


def _insert_reference(
    scene: Scene, session: Session, child: Owned, key: Constraint, parent: Owned, *, absent: bool
) -> Sent:
    columns, values = new_row(scene, child, child.a[0])
    row = dict(zip(columns, values, strict=True))
    row.update(_reference_values(scene, child, key, parent, absent=absent))
    return session.run(
        "rows.insert",
        table=child.identifier,
        columns=names(row),
        values=sql.SQL(", ").join(map(sql.Literal, row.values())),
    )


def _update_reference(
    scene: Scene, session: Session, child: Owned, key: Constraint, parent: Owned, *, absent: bool
) -> Sent:
    owner = scene.owner_column(child.name)
    values = {
        name: value
        for name, value in _reference_values(scene, child, key, parent, absent=absent).items()
        if name != owner
    }
    return session.run(
        "oracles.link",
        {"keys": list(child.a)},
        table=child.identifier,
        key=child.key,
        assignments=assignments(values),
    )


def assignments(values: dict[str, str | None]) -> sql.Composed:
    """``a = 'x', b = 'y'`` for an update."""
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in values.items()
    )


def cascades(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """13: a foreign key that cascades runs as the table's owner and changes rows of another."""
    by_name = {each.name: each for each in scene.owned}
    tried = [
        (by_name[table.schema, table.name], key, by_name[key.references])
        for table, key in scene.foreign_keys_to_owned()
        if (table.schema, table.name) in by_name
        and key.references in by_name
        and key.on_delete.lower() not in ("no action", "restrict", "")
        and not _is_tenant_key(scene, table, key)
    ]
    if not tried:
        scene.left_out.append(
            "probe 13: not applicable to what is there: no cascading foreign key leads to an owned table"
        )
    yield from _later_cascades(scene, app)
    for child, key, parent in tried:
        owner = scene.owner_column(child.name)
        if owner is None:
            scene.left_out.append(
                f"probe 13: {key.name}: a row of {qualified(*child.name)} belongs to whom its parent does, "
                "so no row of another can hang on it"
            )
            continue
        with staged(scene.target) as session:
            values = dict(
                zip(key.columns, scene.row_values(parent, parent.a[0], key.referenced_columns), strict=True)
            )
            values.pop(owner, None)
            linked = session.run(
                "oracles.link",
                {"keys": [child.b[0]]},
                table=child.identifier,
                key=child.key,
                assignments=assignments(values),
            )
            sent, reached = linked, False
            if linked.accepted:
                session.become(app, scene.target.identities.a)
                sent = session.run(
                    "rows.delete", {"keys": [parent.a[0]]}, table=parent.identifier, key=parent.key
                )
                session.back()
                reached = sent.rowcount > 0 and not _still_linked(session, child, values)
            yield attempt(
                "13",
                f"delete that cascades to another's row by {key.name}",
                app,
                sent,
                reached=reached,
                table=child.name,
                operation="delete",
                row="other",
                closed_by_constraint=True,
            )


def _later_cascades(scene: Scene, app: str) -> Iterator[Attempt]:
    """A table that the owner makes later, whose cascading key has the owner's column or has not."""
    parent = next(
        (
            each
            for each in scene.owned
            if scene.owner_column(each.name) and scene.may(app, each.name, "delete")
        ),
        None,
    )
    if parent is None:
        scene.left_out.append(
            f"probe 13: not applicable to a table made later: {app} deletes no rows of its own"
        )
        return
    owner_column = scene.owner_column(parent.name) or ""
    for name, with_owner in (("without the owner's column", False), ("with the owner's column", True)):
        columns = tuple(dict.fromkeys((*((owner_column,) if with_owner else ()), *parent.keys)))
        parts = {
            "table": parent.identifier,
            "columns": names(columns),
            "owner": sql.Identifier(owner_column),
            "key": parent.key,
            "keys": names(parent.keys),
        }
        with staged(scene.target) as session:
            session.run("oracles.scratch_schema")
            session.run("oracles.give_schema", role=sql.Identifier(scene.actual_owner(parent.name)))
            session.become(scene.actual_owner(parent.name), assume=False)
            session.run("oracles.unique_for_child", **parts)
            session.run("oracles.child", **parts)
            made = session.run("oracles.child_key", **parts)
            session.back()
            values = {"key": parent.a[0], "identity": scene.target.identities.b}
            sent = session.run("oracles.child_row", values, **parts) if made.accepted else made
            reached = False
            if sent.accepted:
                session.become(app, scene.target.identities.a)
                sent = session.run(
                    "rows.delete", {"keys": [parent.a[0]]}, table=parent.identifier, key=parent.key
                )
                session.back()
                reached = sent.rowcount > 0 and session.run("oracles.child_rows").value == 0
            yield attempt(
                "13",
                f"delete that cascades to another's row by a key made later {name}",
                app,
                sent,
                reached=reached,
                declared="refused" if with_owner else "residual",
                table=parent.name,
                operation="delete",
                row="other",
                closed_by_constraint=True,
                detail="the row of another is gone: such a key must hold the owner's column"
                if reached
                else "",
            )


def _still_linked(session: Session, child: Owned, values: dict[str, str | None]) -> bool:
    sent = session.send(
        sql.SQL("select {} from {} t where {} = %(key)s").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("t", name)) for name in values),
            name_of(child.name),
            child.key,
        ),
        {"key": child.b[0]},
    )
    return bool(sent.rows) and sent.rows[0] == tuple(values.values())
