"""Probes 20 and 22 to 26: other roles, objects made later, and what lies outside of the tables."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql
from psycopg2.extensions import make_dsn

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.oracles import qualified_text
from workbench.areas.security.attacks.probes.rows import identity_of, letter_of
from workbench.areas.security.attacks.probes.running import (
    Sent,
    attacking,
    attempt,
    send_alone,
    staged,
    statement,
)
from workbench.areas.security.attacks.probes.scene import Scene, name_of, roles_held
from workbench.catalog.model import quoted


def other_roles(scene: Scene) -> Iterator[Attempt]:
    """20: SET ROLE and SET SESSION AUTHORIZATION to whoever has more; RESET ROLE to whoever connected."""
    superuser, deployer = scene.target.place.server.user, scene.target.place.deployer
    intended = [each.name for each in scene.intent.roles if each.name in scene.roles_found]
    for role in scene.logins:
        held = roles_held(scene.intent, role.name)
        others = [each for each in (*intended, deployer, superuser) if each not in held]
        with attacking(scene.target, role.name, identity_of(scene, role.identified)) as session:
            for other in dict.fromkeys(others):
                sent = session.run("privileges.set_role", role=sql.Identifier(other))
                yield _privilege("20", f"set role {other}", role.name, sent)
                session.run("privileges.reset_role")
            sent = session.run("privileges.set_authorization", role=sql.Identifier(superuser))
            yield _privilege("20", "set session authorization to a superuser", role.name, sent)
            session.run("privileges.reset_role")
            sent = session.run("privileges.who_am_i", {"role": role.name})
            yield attempt(
                "20",
                "reset role returns to somebody else",
                role.name,
                sent,
                reached=bool(sent.value),
                identity=letter_of(role.identified),
            )


def _privilege(number: str, name: str, role: str, sent: Sent, *, detail: str = "") -> Attempt:
    return attempt(number, name, role, sent, reached=sent.accepted, identity="", detail=detail)


def made_later(scene: Scene) -> Iterator[Attempt]:
    """22: what a creator makes later is open to nobody for whom no rule says so."""
    schemas = sorted({schema for rule in scene.intent.rules for schema, _ in rule.tables})
    nothing: dict[str, list[str]] = {}
    for schema in schemas:
        place = sql.Identifier(schema)
        for creator in dict.fromkeys((scene.tables_owner, scene.target.place.deployer)):
            with staged(scene.target) as session:
                session.become(creator, assume=False)
                made = [
                    session.run(f"privileges.{each}", schema=place)
                    for each in ("new_table", "new_sequence", "new_function")
                ]
                if not made[0].accepted:
                    nothing.setdefault(creator, []).append(quoted(schema))
                    continue
                for role in scene.logins:
                    session.become(role.name)
                    for name, what in (
                        ("read_table", "a table"),
                        ("use_sequence", "a sequence"),
                        ("call_function", "a function"),
                    ):
                        sent = session.run(f"privileges.{name}", {"schema": schema}, schema=place)
                        yield _privilege(
                            "22", f"{what} that {creator} makes later in {schema}", role.name, sent
                        )
    scene.left_out += [
        f"probe 22: {creator} may make nothing in {', '.join(schemas)}, so there is nothing to be open later"
        for creator, schemas in nothing.items()
    ]


def sequences(scene: Scene) -> Iterator[Attempt]:
    """23: a sequence tells how many rows there were; who may set it back breaks the next insert."""
    found = scene.conn.execute(statement("privileges.sequences"), None).fetchall()
    if not found:
        scene.left_out.append("probe 23: not applicable: there is no sequence")
    for name in found:
        sequence = name_of(name)
        value = scene.conn.execute(statement("privileges.last_value", sequence=sequence)).fetchone()
        parameters = {"sequence": qualified_text(name), "value": value[0] if value else 1}
        for role in scene.logins:
            with attacking(scene.target, role.name, identity_of(scene, role.identified)) as session:
                for what, declared in (
                    ("last_value", "refused"),
                    ("setval", "refused"),
                    ("nextval", "residual"),
                ):
                    sent = session.run(f"privileges.{what}", parameters, sequence=sequence)
                    yield attempt(
                        "23",
                        what,
                        role.name,
                        sent,
                        reached=sent.accepted,
                        declared=declared,  # type: ignore[arg-type]
                        identity=letter_of(role.identified),
                        table=name,
                        operation="sequence",
                        detail=f"tells {sent.value}: about as many rows were made" if sent.accepted else "",
                    )


def large_objects(scene: Scene) -> Iterator[Attempt]:
    """24: large objects belong to their maker, and files of the server to superusers."""
    for role in scene.logins:
        with staged(scene.target) as session:
            there = session.run("privileges.lo_make").value
            session.become(role.name)
            sent = session.run("privileges.lo_get", {"object": there})
            yield _privilege("24", "read another's large object", role.name, sent)
            sent = session.run("privileges.lo_import")
            yield _privilege("24", "import a file of the server", role.name, sent)
            sent = session.run("privileges.lo_export", {"object": there})
            yield _privilege("24", "export a large object into a file of the server", role.name, sent)
            sent = session.run("privileges.lo_create")
            yield attempt(
                "24",
                "make a large object",
                role.name,
                sent,
                reached=sent.accepted,
                declared="residual",
                identity="",
                detail="PUBLIC may; only a superuser can revoke it in each database" if sent.accepted else "",
            )


def loopback(scene: Scene) -> Iterator[Attempt]:
    """25: a connection from the server to itself, where its socket trusts whoever asks."""
    server = scene.target.place.server
    for role in scene.logins:
        with attacking(scene.target, role.name) as session:
            yield _privilege(
                "25", "create extension dblink", role.name, session.run("privileges.make_dblink_alone")
            )
    if "dblink" not in server.extension_names:
        scene.left_out.append(f"probe 25: not applicable: {server.description} has no extension dblink")
        return
    where = make_dsn(host=server.host, port=server.port, user=server.user, dbname=scene.target.database)
    for role in scene.logins:
        with staged(scene.target) as session:
            session.run("oracles.scratch_schema")
            session.run("privileges.make_dblink")
            session.run("oracles.open_schema")
            session.run("privileges.open_dblink")
            session.become(role.name)
            sent = session.run("privileges.dblink", {"where": where})
            yield _privilege("25", "dblink to the own server as a superuser", role.name, sent)


def outside(scene: Scene) -> Iterator[Attempt]:
    """26: programs, files, passwords and settings of the server."""
    server, database = scene.target.place.server, scene.target.database
    for role in scene.logins:
        with attacking(scene.target, role.name) as session:
            for name, what in (
                ("copy_program", "COPY TO PROGRAM"),
                ("copy_file", "COPY TO a file of the server"),
                ("copy_from_file", "COPY FROM a file of the server"),
                ("read_file", "pg_read_file"),
                ("list_files", "pg_ls_dir"),
                ("passwords", "the passwords in pg_authid"),
                ("user_mappings", "the passwords in pg_user_mapping"),
                ("load_library", "LOAD a library"),
                ("c_function", "a function in C"),
                ("terminate", "end the sessions of the owner of the database"),
            ):
                parameters = {"role": scene.target.place.deployer} if name == "terminate" else None
                sent = session.run(f"privileges.{name}", parameters)
                reached = sent.accepted and not (name == "terminate" and not sent.value)
                if name == "copy_from_file":  # that its table is not there is seen after the privilege
                    reached = sent.sqlstate == "42P01"
                yield attempt("26", what, role.name, sent, reached=reached, identity="")
        sent = send_alone(server, database, role.name, statement("privileges.alter_system"))
        if sent.accepted:
            send_alone(server, database, role.name, statement("privileges.alter_system_back"))
        yield _privilege("26", "ALTER SYSTEM", role.name, sent)
