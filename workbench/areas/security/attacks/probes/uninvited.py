"""What nobody was given: a login of no rule, routines, what is made later, tokens of others."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg2
from psycopg2 import sql as composed

from workbench.areas.security.attacks.actors import refused_login
from workbench.areas.security.attacks.model import Attempt, Declared
from workbench.areas.security.attacks.naive import protected_table
from workbench.areas.security.attacks.probes.running import (
    WRITTEN_BY_NOBODY,
    Sent,
    Session,
    attacking,
    attempt,
    staged,
    statement,
)
from workbench.areas.security.attacks.probes.scene import Scene
from workbench.areas.security.design.text import keeper_name
from workbench.areas.security.design.tokens import SETTING, TokenKey, install_token_key, new_key, sign_token
from workbench.areas.security.intent.model import RoleIntent, TableName
from workbench.areas.security.intent.permissions import permission
from workbench.areas.security.trial.model import Target
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection

_CLOSED = tuple(f"permission denied for {each}" for each in ("function", "procedure", "schema"))


def strangers(scene: Scene) -> Iterator[Attempt]:
    """U1: a login that the intent does not know, and the role that the design's functions run as."""
    yield from _stranger(scene.target)
    if scene.target.design is not None:
        keeper = keeper_name(scene.target.intent)
        reason = refused_login(scene.target, keeper)
        sent = Sent("connect", "28000" if reason else "", reason)
        yield attempt(
            "U1", "the keeper logs in", keeper, sent, reached=sent.accepted, identity="", operation="connect"
        )


def temporary_tables(scene: Scene) -> Iterator[Attempt]:
    """U2: a temporary table, by each login."""
    for role in _logins(scene.target):
        with attacking(scene.target, role.name) as session:
            sent = session.run("uninvited.temporary")
        yield attempt(
            "U2", "a temporary table", role.name, sent, reached=sent.accepted, identity="", operation="create"
        )


def routines(scene: Scene) -> Iterator[Attempt]:
    """U3: routines that no rule needs."""
    return _routines(scene.target, _logins(scene.target))


def made_later(scene: Scene) -> Iterator[Attempt]:
    """U4: functions and types that an owner makes later."""
    return _made_later(scene.target, _logins(scene.target))


def tokens(scene: Scene) -> Iterator[Attempt]:
    """U5: tokens that are genuine and not for this role, database or time; none without tokens."""
    if scene.subject is None:
        scene.left_out.append("probe U5: not applicable: no table has rows of two identities to be seen")
        return iter(())
    return _tokens(scene.target, _logins(scene.target))


def handed_over(scene: Scene) -> Iterator[Attempt]:
    """U6: own rows handed to another by an UPDATE that reads no column.

    No SELECT policy applies to it (manual, CREATE POLICY).
    """
    for role in _logins(scene.target):
        yield from _handed_over(scene.target, role.name)


def types(scene: Scene) -> Iterator[Attempt]:
    """U7: a table of one's own with a column of a type of the source's, whose owner cannot change it then."""
    found = scene.conn.execute(
        statement("uninvited.types"), {"schemas": list(scene.target.place.catalog.schemas)}
    ).fetchall()
    if not found:
        return
    with staged(scene.target) as session:
        session.run("uninvited.later_schema")
        for role in scene.logins:
            session.back()
            session.run("uninvited.open_later_schema", role=composed.Identifier(role.name))
            session.become(role.name, assume=False)
            for schema, name in found:
                sent = session.run("uninvited.built_upon", type=composed.Identifier(schema, name))
                yield attempt(
                    "U7",
                    f"a table with a column of {qualified(schema, name)}",
                    role.name,
                    sent,
                    reached=sent.accepted,
                    identity="",
                    operation="usage",
                )
                if sent.accepted:
                    session.conn.execute("rollback to savepoint before_attempt")


def ownership(scene: Scene) -> Iterator[Attempt]:
    """U8: a comment on everything there is, which its owner alone may make, as each login.

    Of a design, who deploys is no owner either once it has been applied.
    """
    intent, schemas = scene.intent, set(scene.target.place.catalog.schemas)
    if scene.target.design is not None:
        schemas |= {intent.schema} | ({intent.audit.schema} if intent.audit else set())
    found = scene.conn.execute(statement("uninvited.objects"), {"schemas": sorted(schemas)}).fetchall()
    deployer = [scene.target.place.deployer] if scene.target.design is not None else []
    for role in (*deployer, *(each.name for each in scene.logins)):
        if scene.only_role not in (None, role):
            continue
        with contextlib.closing(scene.target.place.connect(scene.target.database, role)) as conn:
            session, last = Session(scene.target, conn), Sent("comment", "02000", "there is nothing")
            changed: list[str] = []
            conn.execute("begin")
            for kind, identity in found:
                sent = session.run(
                    "uninvited.comment", kind=composed.SQL(kind), identity=composed.SQL(identity)
                )
                if sent.accepted:
                    changed.append(f"{kind} {identity}")
                last = sent if sent.accepted or not changed else last
            conn.execute("rollback")
        yield attempt(
            "U8",
            "change what others own",
            role,
            last,
            reached=bool(changed),
            identity="",
            operation="comment",
            rows=len(changed),
            detail=f"{changed[0]}, {len(changed)} of {len(found)}" if changed else f"{len(found)} refused",
        )


def _logins(target: Target) -> tuple[RoleIntent, ...]:
    return tuple(each for each in target.intent.roles if each.kind == "login")


def _handed_over(target: Target, role: str) -> Iterator[Attempt]:
    """Tables of which *role* may update its own rows, the column of their owner among the others."""
    tables = {
        name
        for rule in target.intent.rules
        if rule.role == role and rule.rows == "own" and "update" in rule.operations
        for name in rule.tables
        if (column := target.intent.owners[name].column) is not None
        and (rule.columns is None or column in rule.columns)
    }
    for table in sorted(tables):
        with attacking(target, role, target.identities.a) as session:
            sent = session.run(
                "uninvited.hand_over",
                {"other": target.identities.b},
                table=composed.Identifier(*table),
                column=composed.Identifier(target.intent.owners[table].column or ""),
            )
        yield attempt(
            "U6",
            "own rows handed to another, unread",
            role,
            sent,
            reached=sent.accepted and sent.rowcount > 0,
            table=table,
            operation="update",
            row="own",
            rows=sent.rowcount if sent.accepted else None,
            expected=WRITTEN_BY_NOBODY,
        )


def _stranger(target: Target) -> Iterator[Attempt]:
    role = f"wb_stranger_{uuid.uuid4().hex[:12]}"
    with target.place.server.session() as superuser:
        superuser.execute(statement("uninvited.stranger", role=composed.Identifier(role)))
        try:
            sent = Sent("connect")
            try:
                target.place.server.connect_once(target.database, user=role).close()
            except psycopg2.OperationalError as exc:
                words = str(exc).strip().splitlines()[-1].partition("FATAL:")[2].strip()
                sent = Sent("connect", "42501", words.replace(target.database, "target_database"))
        finally:
            superuser.execute(statement("uninvited.stranger_gone", role=composed.Identifier(role)))
    yield attempt(
        "U1",
        "a login of no rule connects",
        "a stranger",
        sent,
        reached=sent.accepted,
        identity="",
        operation="connect",
    )


def _routines(target: Target, logins: tuple[RoleIntent, ...]) -> Iterator[Attempt]:
    """A routine that no expression of a table needs is nobody's."""
    with target.place.server.session(target.database) as conn:
        found = conn.execute(
            statement("uninvited.routines"), {"schemas": list(target.place.catalog.schemas)}
        ).fetchall()
    for role in logins:
        with attacking(target, role.name) as session:
            for schema, name, kind, arguments, types in found:
                verb = "call {}({})" if kind == "p" else "select {}({})"
                # of a strict function of a plain null nothing is called: the planner knows what it gives
                value = "null::{}" if kind == "p" else "(select null::{})"
                nothing = composed.SQL(", ").join(composed.SQL(value.format(each)) for each in types)
                sent = session.send(composed.SQL(verb).format(composed.Identifier(schema, name), nothing))
                yield attempt(
                    "U3",
                    f"call {qualified(schema, name)}({arguments})",
                    role.name,
                    sent,
                    reached=not sent.message.startswith(_CLOSED),
                    identity="",
                    operation="execute",
                )


def _made_later(target: Target, logins: tuple[RoleIntent, ...]) -> Iterator[Attempt]:
    """The deployer and each owner make a function and a type, in a schema where everybody may look."""
    owners = [each.name for each in target.intent.roles if each.kind in ("owner", "audit owner")]
    keeper = [keeper_name(target.intent)] if target.design is not None else []
    for creator in (target.place.deployer, *owners, *keeper):
        with staged(target) as session:
            session.run("uninvited.later_schema")
            for each in (creator, *(role.name for role in logins)):
                session.run("uninvited.open_later_schema", role=composed.Identifier(each))
            session.become(creator, assume=False)
            made = [session.run(f"uninvited.{each}") for each in ("later_function", "later_type")]
            for role in logins:
                session.become(role.name, assume=False)
                for what, one, name in (
                    ("function", made[0], "call_later"),
                    ("type", made[1], "use_later_type"),
                ):
                    sent = session.run(f"uninvited.{name}") if one.accepted else one
                    yield attempt(
                        "U4",
                        f"a {what} that {creator} makes later",
                        role.name,
                        sent,
                        reached=sent.accepted,
                        identity="",
                        operation="execute" if what == "function" else "usage",
                    )
                    if sent.accepted:
                        session.conn.execute("rollback to savepoint before_attempt")


def _tokens(target: Target, logins: tuple[RoleIntent, ...]) -> Iterator[Attempt]:
    """Genuine tokens, signed with a key of the database's own: one that fits, and others that do not."""
    program = next((each.name for each in logins if each.identified == "token"), None)
    if target.design is None or target.intent.identity is None or program is None:
        return
    table = _read_by_token(target, program)
    if table is None:
        return
    identity = target.identities.a
    now = datetime.now(UTC)
    with _own_key(target) as key:
        other = next((each.name for each in logins if each.name != program), "postgres")

        def token(role: str, database: str, age_s: float = 0) -> str:
            begins = now - timedelta(seconds=age_s)
            return sign_token(key, identity, role=role, database=database, lifetime_s=300, now=begins)

        tried: tuple[tuple[str, str, Declared], ...] = (
            ("that is for it", token(program, target.database), "allowed"),
            ("that has expired", token(program, target.database, age_s=400), "refused"),
            ("of another role", token(other, target.database), "refused"),
            ("for another database", token(program, "elsewhere"), "refused"),
        )
        for name, shown, declared in tried:
            with attacking(target, program) as session:
                session.run("uninvited.token", {"setting": SETTING, "token": shown})
                sent = session.run("uninvited.seen", table=composed.Identifier(*table))
            yield attempt(
                "U5",
                f"a token {name}",
                program,
                sent,
                reached=bool(sent.value),
                declared=declared,
                table=table,
                operation="select",
                row="own",
                rows=sent.value,
            )


def _read_by_token(target: Target, program: str) -> TableName | None:
    """A table of which *program* reads its identity's rows alone: there a token makes the difference."""
    preferred = protected_table(target.intent)
    tables = sorted(target.intent.owners, key=lambda table: (table != preferred, table))
    for table in tables:
        may = permission(target.intent, target.place.catalog, program, table, "select")
        if may is not None and all(rows == "own" for rows, _, _ in may.grants):
            return table
    return None


@contextlib.contextmanager
def _own_key(target: Target) -> Iterator[TokenKey]:
    """A key of tokens that the database accepts for the block."""
    key = new_key(f"probe-{uuid.uuid4().hex[:12]}")
    with (
        contextlib.closing(target.place.connect(target.database)) as deployer,
        target.place.server.session(target.database) as superuser,
    ):
        install_token_key(deployer, key, intent=target.intent)
        try:
            yield key
        finally:
            _forget(superuser, target, key.id)


def _forget(superuser: Connection, target: Target, key_id: str) -> None:
    keys = composed.Identifier(target.intent.schema, "token_keys")
    superuser.execute(statement("uninvited.forget_key", keys=keys), {"key": key_id})
