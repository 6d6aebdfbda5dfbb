"""Probes 18, 19 and 21: code of the attacker's that runs with the rights of somebody else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt, Declared
from workbench.areas.security.attacks.probes.rows import identity_of, letter_of
from workbench.areas.security.attacks.probes.running import (
    Sent,
    Session,
    attacking,
    attempt,
    staged,
    statement,
)
from workbench.areas.security.attacks.probes.scene import Scene, name_of
from workbench.catalog.model import qualified

_KINDS = {
    "definer_no_path": ("without a search_path", "residual"),
    "definer_path": ("with search_path = its schema", "residual"),
    "definer_path_temp_last": ("with search_path = its schema, pg_temp", "refused"),
    "definer_atomic": ("as BEGIN ATOMIC", "refused"),
}


@contextlib.contextmanager
def stage_of_owner(scene: Scene, *statements: str) -> Iterator[tuple[Session, str]]:
    """A staged session in which the tables' owner (else the deployer) has a schema with *statements* made."""
    owner = scene.tables_owner
    with staged(scene.target) as session:
        session.run("oracles.scratch_schema")
        session.run("oracles.give_schema", role=sql.Identifier(owner))
        session.become(owner, assume=False)
        session.run("oracles.open_schema")
        for each in statements:
            session.run(each)
        session.run("functions.open")
        yield session, owner


def definers(scene: Scene) -> Iterator[Attempt]:
    """18: a SECURITY DEFINER function finds a temporary object of its caller's before its own.

    A function that is there counts as reached where an object of the attacker's ran with its rights, and
    where it may be called and has no search_path at all (manual of CREATE FUNCTION, "Writing SECURITY
    DEFINER Functions Safely").
    """
    for role in scene.logins:
        for kind, (name, declared) in _KINDS.items():
            with stage_of_owner(scene, "functions.settings_table", f"functions.{kind}") as (session, owner):
                session.become(role.name)
                sent = session.run("functions.who")
                if sent.accepted:
                    session.run("functions.shadow_table")
                    session.run("functions.show_shadow", name=sql.Identifier("wb_settings"))
                    session.run("functions.shadow_path", {"path": "pg_temp, wb_probe"})
                    sent = session.run("functions.call")
                yield attempt(
                    "18",
                    f"a function made later {name}",
                    role.name,
                    sent,
                    reached=sent.value == f"ran as {owner}",
                    declared=_declared(scene, declared),
                    identity="",
                    detail=str(sent.value or sent.message),
                )
    yield from _definers_found(scene)


def _declared(scene: Scene, declared: str) -> Declared:
    """A definer made without a path is its maker's own hole, unless the design forbids temporary objects."""
    return "refused" if declared == "refused" or scene.no_temporary_objects else "residual"


def _definers_found(scene: Scene) -> Iterator[Attempt]:
    with scene.conn.cursor() as cur:
        cur.execute(statement("functions.definers"), {})
        found = cur.fetchall()
    callable_ones = [each for each in found if not each[3]]
    if not callable_ones:
        scene.left_out.append(
            "probe 18: not applicable to functions that are there: none is SECURITY DEFINER"
        )
    for schema, name, owner, _, kind, types, path, atomic, relations in callable_ones:
        for role in scene.logins:
            with attacking(scene.target, role.name, identity_of(scene, role.identified)) as session:
                sent = _call_shadowed(session, schema, name, kind, types, relations)
            ran = any(f"ran as {owner}" in notice for notice in sent.notices)
            unsafe = path is None and not atomic and not sent.lacks_privilege
            yield attempt(
                "18",
                f"{qualified(schema, name)}({', '.join(types)}) with the tables that it names shadowed",
                role.name,
                sent,
                reached=ran or unsafe,
                identity=letter_of(role.identified),
                operation="execute",
                detail=f"its search_path is {path}" if path is not None else "it has no search_path",
                expected=_ENDS_OF_A_CALL,
            )


# what a function may answer to arguments that are null: that is its own business
_ENDS_OF_A_CALL = frozenset({"22004", "22023", "22P02", "23502", "P0001", "P0002", "0A000", "2201X", "22000"})


def _call_shadowed(
    session: Session, schema: str, name: str, kind: str, types: list[str], relations: list[str]
) -> Sent:
    if session.run("functions.who").accepted:
        for relation in relations:
            session.run("functions.shadow_relation", name=sql.Identifier(relation))
            session.run("functions.show_shadow", name=sql.Identifier(relation))
        session.run("functions.shadow_path", {"path": "pg_temp"})
    arguments = sql.SQL(", ").join(sql.SQL("null::" + each) for each in types)
    verb = sql.SQL("call {}({})") if kind == "p" else sql.SQL("select {}({})")
    return session.send(verb.format(name_of((schema, name)), arguments))


def attacker_schemas(scene: Scene) -> Iterator[Attempt]:
    """19: a definer's unqualified call finds a function of the attacker's in a schema it may create in."""
    for kind, name in (
        ("definer_calling", "without a search_path"),
        ("definer_calling_with_path", "with search_path = its schema, pg_temp"),
    ):
        for role in scene.logins:
            made = ("functions.own_helper", f"functions.{kind}")
            with stage_of_owner(scene, *made) as (session, owner):
                session.become(role.name)
                schema, sent = writable_schema(session)
                if schema is not None:
                    session.run("functions.attacker_helper", schema=sql.Identifier(schema))
                    path = ", ".join(
                        sql.Identifier(each).as_string(session.conn) for each in (schema, "wb_probe")
                    )
                    session.run("functions.shadow_path", {"path": path})
                    sent = session.run("functions.call")
                yield attempt(
                    "19",
                    f"a function of the attacker's in the way of a definer {name}",
                    role.name,
                    sent,
                    reached=sent.value == f"ran as {owner}",
                    identity="",
                    detail=f"in schema {schema}: {sent.value or sent.message}" if schema else "",
                )


def writable_schema(session: Session) -> tuple[str | None, Sent]:
    """A schema that the session may create in, made by itself if it must; and what creating one answered."""
    sent = session.run("functions.attacker_schema")
    if sent.accepted:
        return "wb_attacker", sent
    there = session.run("common.creatable_schemas", {})
    return (there.value, there) if there.value else (None, sent)


def planted_triggers(scene: Scene) -> Iterator[Attempt]:
    """21: a trigger planted on a table runs as whoever writes to it next, a superuser too."""
    subject = scene.subject or next(iter(scene.owned), None)
    tables = (
        [subject.name] if subject else [(each.schema, each.name) for each in scene.catalog.base_tables[:1]]
    )
    for table in tables:
        for role in scene.logins:
            yield _planted(scene, role.name, table)
    yield from rights_on_tables(scene, "21", "trigger")


def _planted(scene: Scene, role: str, table: tuple[str, str]) -> Attempt:
    with staged(scene.target) as session:
        session.become(role)
        schema, refused = (
            "pg_temp",
            session.run("functions.trigger_function", schema=sql.Identifier("pg_temp")),
        )
        if not refused.accepted:
            found, refused = writable_schema(session)
            schema = found or schema
            if found:
                session.run("functions.trigger_function", schema=sql.Identifier(schema))
        sent = session.run(
            "functions.trigger",
            table=name_of(table),
            schema=sql.Identifier(schema),
            role=sql.Literal(role),
        )
        planted = sent
        risen = False
        if planted.accepted:
            session.back()
            session.run("functions.touch", table=name_of(table))
            risen = bool(session.run("functions.is_superuser", {"role": role}).value)
        return attempt(
            "21",
            "a trigger planted for the next superuser",
            role,
            planted if planted.accepted or refused.accepted else refused,
            reached=planted.accepted,
            identity="",
            table=table,
            operation="trigger",
            detail="the role became superuser when one wrote to the table" if risen else "",
        )


def rights_on_tables(scene: Scene, number: str, privilege: str) -> Iterator[Attempt]:
    """A privilege that no rule of an intent can give, looked for on every table at once."""
    for role in scene.logins:
        with attacking(scene.target, role.name) as session:
            sent = session.run("privileges.tables_with", {"privilege": privilege})
            found = [name for (name,) in sent.rows]
            yield attempt(
                number,
                f"the privilege {privilege} on any table",
                role.name,
                sent,
                reached=bool(found),
                identity="",
                operation=privilege,
                detail=_some(found),
            )


def _some(found: list[str]) -> str:
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more
