"""Probes X1 to X20: what a demanding reviewer tries beyond the numbered ones."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.oracles import plan_rows, qualified_text
from workbench.areas.security.attacks.probes.rows import identity_of, letter_of
from workbench.areas.security.attacks.probes.running import (
    Sent,
    Session,
    attacking,
    attempt,
    identity_settings,
    send_alone,
    staged,
    statement,
)
from workbench.areas.security.attacks.probes.scene import Owned, Scene, name_of, names

_TIMEOUT_S = 60


def definitions(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """X1: what the owner of a table alone may do to it, tried by every login."""
    schema = sql.Identifier(subject.name[0])
    first = subject.table.columns[0].name
    other = subject.table.columns[-1].name
    for role in scene.logins:
        with attacking(scene.target, role.name, identity_of(scene, role.identified)) as session:
            for name, what in (
                ("rule", "CREATE RULE"),
                ("comment", "COMMENT"),
                ("policy", "CREATE POLICY using (true)"),
                ("disable", "DISABLE ROW LEVEL SECURITY"),
                ("take", "ALTER TABLE OWNER"),
                ("inherit", "a child table that inherits from it"),
                ("publication", "CREATE PUBLICATION"),
                ("statistics_object", "CREATE STATISTICS"),
            ):
                sent = session.run(
                    f"extras.{name}",
                    table=subject.identifier,
                    role=sql.Identifier(role.name),
                    schema=schema,
                    columns=names(dict.fromkeys((first, other))),
                )
                yield _tried("X1", what, role.name, sent, subject, letter_of(role.identified))


def _tried(number: str, what: str, role: str, sent: Sent, owned: Owned | None, identity: str = "") -> Attempt:
    return attempt(
        number,
        what,
        role,
        sent,
        reached=sent.accepted,
        identity=identity,
        table=owned.name if owned else None,
    )


def table_locks(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """X2: who may UPDATE, DELETE or TRUNCATE a whole table may lock everybody out of it."""
    for role in scene.logins:
        with attacking(scene.target, role.name) as session:
            sent = session.run("extras.lock", table=subject.identifier)
            yield attempt(
                "X2",
                "LOCK TABLE in access exclusive mode",
                role.name,
                sent,
                reached=sent.accepted,
                declared="residual",
                identity="",
                table=subject.name,
                operation="lock",
                detail="goes with a right to delete or update; lock_timeout limits it for others"
                if sent.accepted
                else "",
            )


def statistics(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """X3: what the catalogs tell of hidden rows: statistics, sizes, counts, and what a filter removed."""
    with attacking(scene.target, app, scene.target.identities.a) as session:
        for name, what in (
            ("statistics_table", "values in pg_statistic"),
            ("extended_statistics", "values in pg_statistic_ext_data"),
        ):
            yield _tried("X3", what, app, session.run(f"oracles.{name}"), None, "A")
        sent = session.run("oracles.volumes", {"table": qualified_text(subject.name)})
        rows = int(sent.rows[0][0]) if sent.rows else 0
        yield attempt(
            "X3",
            "the number of rows and bytes of the table",
            app,
            sent,
            reached=rows > 0,
            declared="residual",
            table=subject.name,
            rows=rows,
            detail=f"pg_class says {rows} rows, pg_relation_size its bytes" if sent.accepted else "",
        )
        session.run("oracles.no_indexes")
        session.run("oracles.no_bitmaps")
        sent = session.run("oracles.removed_by_filter", table=subject.identifier)
        removed = sum(plan_rows(sent, "Rows Removed by Filter"))
        yield attempt(
            "X3",
            "EXPLAIN ANALYZE counts what the policy removed",
            app,
            sent,
            reached=removed > 0,
            declared="residual",
            table=subject.name,
            row="other",
            rows=removed,
            detail=f"{removed} rows removed by the filter, in the server's own words",
        )


def readable_code(scene: Scene) -> Iterator[Attempt]:
    """X4: the text of functions and policies is readable to everybody: no key may be in it."""
    for role in scene.logins:
        with attacking(scene.target, role.name) as session:
            sent = session.run("extras.function_bodies", {})
            keys = [name for (name,) in sent.rows]
            yield attempt(
                "X4",
                "a key in the text of a function",
                role.name,
                sent,
                reached=bool(keys),
                identity="",
                rows=len(keys),
                detail=", ".join(keys[:3]),
            )
            sent = session.run("extras.role_settings", {})
            yield attempt(
                "X4",
                "a key in the settings of a role or a database",
                role.name,
                sent,
                reached=bool(sent.value),
                identity="",
                rows=sent.value,
            )
            sent = session.run("extras.policies_seen")
            yield attempt(
                "X4",
                "the conditions of the policies",
                role.name,
                sent,
                reached=bool(sent.value),
                declared="residual",
                identity="",
                rows=sent.value,
                detail=f"{sent.value} policies are readable: a design may not rest on being unknown",
            )


def token_keys(scene: Scene) -> Iterator[Attempt]:
    """X5: what is in the design's own schema, the key of the tokens among it."""
    found = scene.conn.execute(statement("extras.schema_tables"), {"schema": scene.intent.schema}).fetchall()
    if not found:
        scene.left_out.append("probe X5: not applicable: the target keeps no table of its own, so no key")
    for (table,) in found:
        name = (scene.intent.schema, table)
        for role in scene.logins:
            with attacking(scene.target, role.name, identity_of(scene, role.identified)) as session:
                sent = session.run("extras.read_any", table=name_of(name))
                yield attempt(
                    "X5",
                    "read a table of the design",
                    role.name,
                    sent,
                    reached=sent.accepted,
                    identity=letter_of(role.identified),
                    table=name,
                    operation="select",
                )
        keeper = scene.conn.execute(statement("extras.owner_of"), {"table": qualified_text(name)}).fetchone()
        if keeper:
            with staged(scene.target) as session:
                session.become(keeper[0], assume=False)
                sent = session.run("extras.read_any", table=name_of(name))
            yield attempt(
                "X5",
                "read a table of the design as its owner",
                keeper[0],
                sent,
                reached=sent.accepted,
                declared="residual",
                identity="",
                table=name,
                operation="select",
                detail=f"{keeper[0]} and superusers can; nobody logs in as the former"
                if sent.accepted
                else "",
            )


def memberships(scene: Scene) -> Iterator[Attempt]:
    """X6: roles given to oneself, attributes, and the server's own powerful roles."""
    superuser, deployer = scene.target.place.server.user, scene.target.place.deployer
    owners = [
        each.name for each in scene.intent.roles if each.kind != "login" and each.name in scene.roles_found
    ]
    for role in scene.logins:
        own = sql.Identifier(role.name)
        with attacking(scene.target, role.name) as session:
            for other in (*owners, deployer, superuser):
                sent = session.run("extras.grant_self", other=sql.Identifier(other), role=own)
                yield _tried("X6", f"grant {other} to itself", role.name, sent, None)
            for name, what in (
                ("rise", "alter itself to superuser"),
                ("bypass", "alter itself to bypassrls"),
                ("make_role", "create a role"),
            ):
                sent = session.run(f"extras.{name}", role=own)
                yield _tried("X6", what, role.name, sent, None)
            for name, what in (
                ("dangerous_memberships", "member of a powerful role of the server"),
                ("admin_options", "ADMIN option on a role"),
                ("attributes", "an attribute that goes around row security"),
            ):
                sent = session.run(f"extras.{name}")
                found = [each for (each,) in sent.rows if each]
                yield attempt(
                    "X6",
                    what,
                    role.name,
                    sent,
                    reached=bool(found),
                    identity="",
                    rows=len(found),
                    detail=", ".join(found[:3]),
                )


def other_sessions(scene: Scene) -> Iterator[Attempt]:
    """X7: the statements of other roles' sessions, with the values in them."""
    with scene.target.place.server.session(scene.target.database) as marked:
        marked.execute(statement("extras.marked"))
        for role in scene.logins:
            with attacking(scene.target, role.name) as session:
                sent = session.run("extras.activity", {})
                yield attempt(
                    "X7",
                    "the text of another's statement",
                    role.name,
                    sent,
                    reached=bool(sent.value),
                    identity="",
                    rows=sent.value,
                )


def left_behind(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """X8: what a pooled connection keeps of the identity before: cursors WITH HOLD, and the identity."""
    target = scene.target
    with contextlib.closing(target.connect(app, target.identities.b)) as conn:
        conn.execute("begin")
        conn.execute(statement("rows.hold", table=subject.identifier, key=subject.key))
        conn.execute("commit")
        target.assume(conn, target.identities.a)
        fetched = {key for (key,) in conn.execute(statement("rows.fetch_held")).fetchall()}
        seen = len(fetched & set(subject.b))
        yield attempt(
            "X8",
            "a cursor WITH HOLD of the identity before",
            app,
            Sent("fetch all from held"),
            reached=seen > 0,
            declared="residual",
            table=subject.name,
            row="other",
            rows=seen,
            detail=f"{seen} rows of the identity before: a pool must DISCARD ALL",
        )
    with contextlib.closing(target.connect(app, target.identities.b)) as conn:
        conn.execute("discard all")
        conn.execute("begin")
        sent = Session(target, conn).run(
            "rows.count", {"keys": list(subject.b)}, table=subject.identifier, key=subject.key
        )
        yield attempt(
            "X8",
            "the identity before, after DISCARD ALL",
            app,
            sent,
            reached=bool(sent.value),
            table=subject.name,
            row="other",
            rows=sent.value,
        )


def other_plans(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """X9: other ways to the same rows: parallel workers, samples, whole rows, anonymous blocks."""
    a = scene.target.identities.a
    forced = "extras.parallel" if scene.target.place.server.version >= 160_000 else "extras.force_parallel"
    with attacking(scene.target, app, a) as session:
        session.run(forced)
        for owned in scene.owned:
            sent = session.run("rows.count", {"keys": list(owned.b)}, table=owned.identifier, key=owned.key)
            own = session.run("rows.count", {"keys": list(owned.a)}, table=owned.identifier, key=owned.key)
            yield _seen("X9", "a parallel query", app, sent, owned, own.message)
    with attacking(scene.target, app, a) as session:
        for owned in scene.owned:
            sent = session.run(
                "extras.whole_row", {"keys": list(owned.b)}, table=owned.identifier, key=owned.key
            )
            yield _seen("X9", "whole rows of a sample by ctid", app, sent, owned)
        sent = session.run(
            "extras.anonymous_block",
            table=subject.identifier,
            key=subject.key,
            keys=sql.Literal(list(subject.b)),
        )
        seen = sum(not each.strip().endswith("seen 0") for each in sent.notices if "seen" in each)
        yield attempt(
            "X9",
            "an anonymous block",
            app,
            sent,
            reached=seen > 0,
            table=subject.name,
            operation="select",
            row="other",
        )


def _seen(number: str, what: str, role: str, sent: Sent, owned: Owned, detail: str = "") -> Attempt:
    return attempt(
        number,
        what,
        role,
        sent,
        reached=bool(sent.value),
        table=owned.name,
        operation="select",
        row="other",
        rows=sent.value,
        detail=detail,
    )


def shadowed_identity(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """X10: a function of the attacker's with the name of the one that the policies ask."""
    with attacking(scene.target, app, scene.target.identities.a) as session:
        made = session.run(
            "extras.shadow_identity",
            body=sql.Literal(
                sql.SQL("select {}::text")
                .format(sql.Literal(scene.target.identities.b))
                .as_string(session.conn)
            ),
        )
        session.run("extras.shadow_identity_path")
        sent = session.run("rows.count", {"keys": list(subject.b)}, table=subject.identifier, key=subject.key)
        yield _seen(
            "X10", "current_identity() of the attacker's", app, sent if made.accepted else made, subject
        )


def dumps(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """X11: pg_dump as the application's login, without and with row security."""
    server = scene.target.place.server
    program = server.binaries.path("pg_dump")
    hidden, mine = ({key.strip("()").strip('"') for key in keys} for keys in (subject.b, subject.a))
    for options in ((), ("--enable-row-security",)):
        with contextlib.closing(scene.target.connect(app, scene.target.identities.a)) as conn:
            values = {
                each: conn.execute(statement("rows.current_setting"), {"setting": each}).fetchone()[0]  # type: ignore[index]
                for each in identity_settings(scene.target)
            }
        info = server.conninfo(scene.target.database, user=app)
        environment = {
            **server.binaries.environment(),
            "PGHOST": info["host"],
            "PGPORT": info["port"],
            "PGUSER": app,
            "PGDATABASE": scene.target.database,
            "PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in values.items() if value),
        }
        command = [str(program), "--data-only", "--table", qualified_text(subject.name), *options]
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
        own = sum(any(line.startswith(key + "\t") for key in mine) for line in done.stdout.splitlines())
        seen = sum(any(line.startswith(key + "\t") for key in hidden) for line in done.stdout.splitlines())
        said = next((line for line in done.stderr.splitlines() if "error" in line.lower()), "")
        said = said.replace(scene.target.database, "target_database").replace(server.host, "socket")
        by_security = any(each in said for each in ("row-level security", "permission denied", "lack SELECT"))
        refused = ("42501" if by_security else "?????") if done.returncode else ""
        yield attempt(
            "X11",
            " ".join(("pg_dump", *options)),
            app,
            Sent(
                " ".join(("pg_dump", *command[1:])),
                refused,
                said.replace(scene.target.database, "target_database"),
            ),
            reached=seen > 0,
            table=subject.name,
            operation="select",
            row="other",
            rows=seen,
            detail=said or f"{own} own rows and {seen} of another",
        )


def event_triggers(scene: Scene) -> Iterator[Attempt]:
    """X12: event triggers, labels, slots, prepared transactions and channels: the rest of the server."""
    for role in scene.logins:
        with attacking(scene.target, role.name) as session:
            yield _tried("X12", "CREATE EVENT TRIGGER", role.name, session.run("extras.event_trigger"), None)
            yield _tried("X12", "a replication slot", role.name, session.run("extras.replication_slot"), None)
        sent = send_alone(scene.target.place.server, scene.target.database, role.name, "listen wb_channel")
        yield attempt(
            "X12",
            "LISTEN on a channel",
            role.name,
            sent,
            reached=sent.accepted,
            declared="residual",
            identity="",
            detail="channels have no owner: what is notified is heard by everybody" if sent.accepted else "",
        )


def hidden_references(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """X13: a table of the attacker's with a foreign key to a hidden one, whose checks see all rows."""
    for role in scene.logins:
        with attacking(scene.target, role.name) as session:
            place = session.run("common.creatable_schemas", {}).value
            sent = session.run(
                "extras.references",
                schema=sql.Identifier(place or subject.name[0]),
                keys=names(subject.keys, "t"),
                table=subject.identifier,
            )
            if sent.accepted:
                sent = session.send(
                    sql.SQL("alter table {} add foreign key ({}) references {} ({})").format(
                        name_of((place, "wb_reference")),
                        names(subject.keys),
                        subject.identifier,
                        names(subject.keys),
                    )
                )
            yield _tried("X13", "a foreign key from an own table", role.name, sent, subject)
