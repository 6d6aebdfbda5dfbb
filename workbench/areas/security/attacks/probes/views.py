"""Probes 7 and 16: views and partitions, which have owners and privileges of their own."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt, Declared
from workbench.areas.security.attacks.probes.oracles import qualified_text
from workbench.areas.security.attacks.probes.running import attacking, attempt, staged, statement
from workbench.areas.security.attacks.probes.scene import Owned, Scene, name_of, names
from workbench.catalog.model import Table


def views(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """7: a view reads with its owner's rights unless it is a security_invoker."""
    yield from _views_found(scene, app)
    owner = scene.actual_owner(subject.name)
    superuser = scene.target.place.server.user
    for name, kind, maker, declared in (
        ("a view of the owner's", "view", owner, "refused"),
        ("a security_invoker view of the owner's", "invoker_view", owner, "refused"),
        ("a materialized view of the owner's", "materialized_view", owner, "refused"),
        ("a view of a superuser's", "view", superuser, "residual"),
        ("a security_invoker view of a superuser's", "invoker_view", superuser, "refused"),
        ("a materialized view of a superuser's", "materialized_view", superuser, "residual"),
    ):
        yield _later_view(scene, app, subject, name, kind, maker, declared)  # type: ignore[arg-type]


def _later_view(
    scene: Scene, app: str, subject: Owned, name: str, kind: str, maker: str, declared: Declared
) -> Attempt:
    with staged(scene.target) as session:
        session.run("oracles.scratch_schema")
        session.run("oracles.give_schema", role=sql.Identifier(maker))
        session.become(maker, assume=False)
        session.run("oracles.open_schema")
        made = session.run(
            f"oracles.{kind}",
            table=subject.identifier,
            key=subject.key,
            columns=names(subject.keys, "t"),
        )
        session.run("oracles.grant_view", role=sql.Identifier(app))
        session.become(app, scene.target.identities.a)
        sent = session.run("oracles.count_view", {"keys": list(subject.b)}) if made.accepted else made
        return attempt(
            "7",
            name,
            app,
            sent,
            reached=bool(sent.value),
            declared=declared,
            table=subject.name,
            operation="select",
            row="other",
            rows=sent.value,
            detail="whoever made it decides what is in it" if declared == "residual" and sent.value else "",
        )


def _views_found(scene: Scene, app: str) -> Iterator[Attempt]:
    tables = [qualified_text(each.name) for each in scene.owned]
    found = scene.conn.execute(statement("oracles.views"), {"tables": tables}).fetchall()
    if not found:
        scene.left_out.append(
            "probe 7: not applicable to views that are there: none reads a table with owners"
        )
    others = [owned.b[0].strip("()") for owned in scene.owned if len(owned.b[0]) > 6]
    for schema, view, _kind in found:
        with attacking(scene.target, app, scene.target.identities.a) as session:
            sent = session.run("oracles.mentions", {"texts": others}, table=name_of((schema, view)))
            yield attempt(
                "7",
                "a view that is there, for keys of another's rows",
                app,
                sent,
                reached=bool(sent.value),
                table=(schema, view),
                operation="select",
                row="other",
                rows=sent.value,
            )
    with attacking(scene.target, app) as session:
        for schema, view, _kind in found:
            sent = session.run("rows.count_all", table=name_of((schema, view)))
            yield attempt(
                "7",
                "a view that is there, without an identity",
                app,
                sent,
                reached=bool(sent.value),
                identity="",
                table=(schema, view),
                operation="select",
                row="any",
                rows=sent.value,
            )


def partitions(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """16: a partition has privileges and policies of its own: those of the parent do not reach it."""
    leaves = [
        (leaf, parent)
        for leaf in scene.catalog.tables
        if leaf.partition_of and (parent := _root(scene, leaf)) in scene.intent.owners
    ]
    for role in scene.logins:
        with attacking(scene.target, role.name) as session:
            for leaf, parent in leaves:
                if any(rule.rows == "all" for rule in scene.may(role.name, parent, "select")):
                    continue
                sent = session.run("rows.count_all", table=name_of((leaf.schema, leaf.name)))
                yield attempt(
                    "16",
                    "a partition read directly",
                    role.name,
                    sent,
                    reached=bool(sent.value),
                    identity="",
                    table=(leaf.schema, leaf.name),
                    operation="select",
                    row="any",
                    rows=sent.value,
                )
    if not leaves:
        scene.left_out.append("probe 16: not applicable to partitions that are there: no owned table has any")
    yield from _later_partition(scene, app, subject)


def _later_partition(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """The owner makes a partitioned table with row security, and a partition that gets the default."""
    schema = sql.Identifier(subject.name[0])
    owner = scene.actual_owner(subject.name)
    for role in scene.logins:
        with staged(scene.target) as session:
            session.become(owner, assume=False)
            made = session.run("partitions.parent", schema=schema)
            session.run("partitions.secure", schema=schema)
            session.run("partitions.leaf", schema=schema)
            session.run("partitions.fill", {"b": scene.target.identities.b}, schema=schema)
            session.become(role.name)
            sent = session.run("partitions.read_leaf", schema=schema) if made.accepted else made
            yield attempt(
                "16",
                "a partition made later, by default privileges",
                role.name,
                sent,
                reached=bool(sent.value),
                identity="",
                table=(subject.name[0], "wb_leaf"),
                operation="select",
                row="any",
                rows=sent.value,
            )


def _root(scene: Scene, leaf: Table) -> tuple[str, str]:
    table = leaf
    while table.partition_of:
        table = scene.catalog.table(*table.partition_of)
    return table.schema, table.name
