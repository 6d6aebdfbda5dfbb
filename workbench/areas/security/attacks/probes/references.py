"""Probes 12 and 13: foreign keys, whose checks and cascades see the rows of everybody."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.rows import new_row
from workbench.areas.security.attacks.probes.running import Sent, Session, attacking, attempt, staged
from workbench.areas.security.attacks.probes.scene import Owned, Scene, name_of, names
from workbench.catalog.model import Constraint, Table, qualified

_ABSENT = "wb-absent"
_ABSENT_UUID = "00000000-0000-4000-8000-00000000dead"


def foreign_keys(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """12: a row that refers to a row of B tells that it is there, and links the two.

    A reference to the identities themselves is there to name others, so that it tells who there is.
    """
    by_name = {each.name: each for each in scene.owned}
    tried = [
        (by_name[table.schema, table.name], key, by_name[key.references])
        for table, key in scene.foreign_keys_to_owned()
        if (table.schema, table.name) in by_name
        and key.references in by_name
        and not _is_tenant_key(scene, table, key)
    ]
    if not tried:
        scene.left_out.append(
            "probe 12: not applicable: no foreign key leads from an owned table to another, but those that "
            "say whose a row is"
        )
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
                declared="residual" if _names_identities(scene, key) else "refused",
                table=child.name,
                operation=by,
                row="own",
                closed_by_constraint=True,
                detail=f"{_answer(there)} for a row of another, {_answer(absent)} for an absent one",
                expected=frozenset({"22P02"}),
            )


def _answer(sent: Sent) -> str:
    return sent.sqlstate or f"{sent.rowcount} rows accepted"


def _names_identities(scene: Scene, key: Constraint) -> bool:
    identity = scene.intent.identity
    return (
        identity is not None
        and key.references == identity.table
        and identity.column in key.referenced_columns
    )


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
