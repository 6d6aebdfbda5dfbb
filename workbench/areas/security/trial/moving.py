"""A source's structure and rows on their way from the engine into the private cluster."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg2.extensions
from psycopg2 import sql as composed

from workbench import script, sql
from workbench.areas.security.access.model import Membership
from workbench.areas.security.access.reading import access_facts
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput, EngineError, SourceError
from workbench.source import OpenSource

_EXAMPLES_AUDIT = "audit"
_FOLDER = "security/trial"
_OF_EXTENSION = re.compile(r"\d+; \d+ \d+ COMMENT - EXTENSION ")
_OF_PRIVILEGES = re.compile(r"\d+; \d+ \d+ (?:DEFAULT )?ACL ")
_HARMLESS = {"pg_read_all_data", "pg_write_all_data"}  # of the server's own roles, these reach tables alone
_SCHEMA = re.compile(r"\d+; 2615 \d+ SCHEMA - (?P<name>.*) [^ ]*")


@dataclass(frozen=True)
class FoundRole:
    """A role of the source; never with more rights in the cluster than to log in and to see all rows."""

    name: str
    login: bool
    inherit: bool
    bypass: bool
    member_of: tuple[str, ...]


@dataclass(frozen=True)
class Dump:
    """An archive of pg_dump, and what must be in the cluster before it is restored.

    *extensions* are pairs of name and schema, *roles* those that the database's objects name. On *forced*
    row security was forced, which the archive does not say: their owner could not have read them. Of a
    source *as found*, *owners* are the statements that give its roles what is theirs.
    """

    path: Path
    has_rows: bool
    roles: tuple[str, ...]
    extensions: tuple[tuple[str, str], ...]
    forced: tuple[tuple[str, str], ...] = ()
    as_found: bool = False
    owners: tuple[str, ...] = ()
    found_roles: tuple[FoundRole, ...] = ()
    memberships: tuple[Membership, ...] = ()


def dumped(
    opened: OpenSource,
    folder: Path,
    rows: Literal["as they are", "generated"] | None,
    *,
    as_found: bool = False,
) -> Dump:
    """*opened* without owners, packed as whoever may work in it: a script's own role."""
    base, server = opened.base, opened.server  # a named database is copied, and loaded, by the first use
    owner, access = (
        (opened.load.role, script.as_loader(server, opened.load)) if opened.load else (None, server)
    )
    with (
        server.scratch_database(template=base, owner=owner, label="security") as name,
        access.session(name) as conn,
    ):
        forced = _forced_off(conn)
        if opened.source.kind == "example":
            conn.execute(
                composed.SQL(sql.read(f"{_FOLDER}/without_schema.sql")).format(
                    schema=composed.Identifier(_EXAMPLES_AUDIT)
                )
            )
        has_rows = _has_rows(conn)
        if rows == "as they are" and not has_rows:
            raise BadInput(f"{opened.source.title} has no rows: let them be generated")
        with_rows = has_rows and rows != "generated"
        found = sql.fetch(conn, f"{_FOLDER}/needed.sql")[0]
        path = folder / "source.dump"
        _pg_dump(access, name, path, opened, with_rows=with_rows)
        roles = tuple(found["roles"])
        found_roles, memberships = _found_roles(opened, roles) if as_found else ((), ())
        owners = sql.fetch(conn, f"{_FOLDER}/owners.sql", {"roles": list(roles)}) if as_found else []
    return Dump(
        path,
        with_rows,
        tuple(dict.fromkeys((*roles, *(each.name for each in found_roles)))),
        tuple((each["name"], each["schema"]) for each in found["extensions"]),
        forced,
        as_found,
        tuple(each["statement"] for each in owners),
        found_roles,
        memberships,
    )


def _found_roles(
    opened: OpenSource, names: tuple[str, ...]
) -> tuple[tuple[FoundRole, ...], tuple[Membership, ...]]:
    """The roles of a named database's cluster, without superusers and those that reach its files.

    Of a script's roles, which log in nowhere, that they may.
    """
    if opened.source.kind != "database":
        return tuple(FoundRole(each, True, True, False, ()) for each in names), ()
    facts = access_facts(opened.connection)
    roles = tuple(
        FoundRole(each.name, each.login, each.inherit, each.bypass_row_security, ())
        for each in facts.roles
        if not (each.superuser or each.predefined or each.name.startswith("wb_"))
    )
    members = {each.name for each in roles}
    return roles, tuple(
        each for each in facts.memberships if each.member in members and each.role in members | _HARMLESS
    )


def _has_rows(conn: Connection) -> bool:
    """Whether one of the tables has a row."""
    tables = sql.fetch(conn, f"{_FOLDER}/tables.sql")
    if not tables:
        return False
    each = [
        composed.SQL("exists (select from only {})").format(composed.Identifier(row["schema"], row["name"]))
        for row in tables
    ]
    for begin in range(0, len(each), 200):
        query = composed.SQL("select {}").format(composed.SQL(" or ").join(each[begin : begin + 200]))
        if conn.execute(query).fetchone()[0]:  # type: ignore[index]
            return True
    return False


def _forced_off(conn: Connection) -> tuple[tuple[str, str], ...]:
    """The tables whose row security bound their owner as well, which it does no more."""
    forced = tuple((row["schema"], row["name"]) for row in sql.fetch(conn, f"{_FOLDER}/forced.sql"))
    for table in forced:
        conn.execute(
            composed.SQL("alter table {} no force row level security").format(composed.Identifier(*table))
        )
    return forced


def force(conn: Connection, tables: Iterable[tuple[str, str]]) -> None:
    """Row security of *tables* binds their owner, too."""
    for table in tables:
        conn.execute(
            composed.SQL("alter table {} force row level security").format(composed.Identifier(*table))
        )


def prepared_base(server: Server, base: str, deployer: str, dump: Dump) -> None:
    """The empty database is the deployer's; roles and extensions that it cannot make are there."""
    names = {"deployer": composed.Identifier(deployer), "database": composed.Identifier(base)}
    with server.session(base) as conn:
        conn.execute(composed.SQL(sql.read(f"{_FOLDER}/deployer.sql")).format(**names))
        for role in dump.roles:
            conn.execute(composed.SQL("create role {} nologin").format(composed.Identifier(role)))
        for name, schema in _beforehand(server, dump):
            conn.execute(
                composed.SQL(sql.read(f"{_FOLDER}/extension.sql")).format(
                    extension=composed.Identifier(name), schema=composed.Identifier(schema), **names
                )
            )


def _beforehand(server: Server, dump: Dump) -> list[tuple[str, str]]:
    """The extensions that only a superuser may create."""
    with server.session() as conn:
        available = {row["name"]: row["trusted"] for row in sql.fetch(conn, "script/extensions.sql")}
    for name, _ in dump.extensions:
        if name not in available:
            server.require_extension(name)
    return [(name, schema) for name, schema in dump.extensions if not available[name]]


def restored(server: Server, base: str, deployer: str, dump: Dump, *, timeout_s: float = 600) -> None:
    """The archive restored by the deployer, in one transaction. Raises SourceError where it fails."""
    program = str(server.binaries.path("pg_restore"))
    before = {schema for _, schema in _beforehand(server, dump)} - {"public", "pg_catalog"}
    listed = _run(server, [program, "--list", str(dump.path)], timeout_s=60).stdout
    chosen = dump.path.with_suffix(".list")
    chosen.write_text("".join(line + "\n" for line in listed.splitlines() if _is_wanted(line, before)))
    arguments = [
        program,
        "--no-owner",
        "--no-acl",
        "--single-transaction",
        f"--use-list={chosen}",
        f"--dbname={_dsn(server, base, deployer)}",
        str(dump.path),
    ]
    done = _run(server, arguments, timeout_s=timeout_s)
    if done.returncode:
        raise SourceError(f"the copy for the attacks cannot be made: {_reason(done)}")


def given_back(server: Server, base: str, dump: Dump) -> None:
    """Owners and privileges become those of the source. Nothing of the source's own runs meanwhile."""
    with server.session(base) as conn:
        for role in dump.found_roles:
            options = [("login", role.login), ("inherit", role.inherit), ("bypassrls", role.bypass)]
            words = " ".join(word if has else "no" + word for word, has in options)
            conn.execute(composed.SQL("alter role {} " + words).format(composed.Identifier(role.name)))
        for membership in dump.memberships:
            conn.execute(_joining(server, membership))
        for statement in dump.owners:
            conn.execute(statement)
    program = str(server.binaries.path("pg_restore"))
    listed = _run(server, [program, "--list", str(dump.path)], timeout_s=60).stdout
    chosen = dump.path.with_suffix(".privileges")
    chosen.write_text("".join(line + "\n" for line in listed.splitlines() if _OF_PRIVILEGES.match(line)))
    arguments = [
        program, "--no-owner", "--single-transaction", f"--use-list={chosen}",
        f"--dbname={_dsn(server, base, server.user)}", str(dump.path),
    ]  # fmt: skip
    done = _run(server, arguments, timeout_s=600)
    if done.returncode:
        raise SourceError(f"the source's privileges cannot be given back: {_reason(done)}")


def _joining(server: Server, membership: Membership) -> composed.Composable:
    """The membership with its options, which PostgreSQL has since 16."""
    options = [("inherit", membership.inherits), ("set", membership.can_set), ("admin", membership.admin)]
    words = ", ".join(f"{word} {str(has).lower()}" for word, has in options)
    return composed.SQL("grant {} to {}" + (f" with {words}" if server.version >= 160_000 else "")).format(
        composed.Identifier(membership.role), composed.Identifier(membership.member)
    )


def _is_wanted(line: str, schemas: set[str]) -> bool:
    if _OF_EXTENSION.match(line):
        return False
    found = _SCHEMA.fullmatch(line)
    return not (found and found["name"] in schemas)


def _pg_dump(server: Server, name: str, path: Path, opened: OpenSource, *, with_rows: bool) -> None:
    arguments = [
        str(server.binaries.path("pg_dump")),
        "--format=custom",
        "--compress=0",
        "--no-owner",
        "--no-tablespaces",
        "--no-publications",
        "--no-subscriptions",
        "--no-security-labels",
        *([] if with_rows else ["--schema-only"]),
        f"--file={path}",
        f"--dbname={_dsn(server, name, server.user)}",
    ]
    done = _run(server, arguments, timeout_s=opened.options.timeout_s * 2)
    if done.returncode:
        raise SourceError(f"{opened.source.title}: cannot be copied for the attacks: {_reason(done)}")


def _dsn(server: Server, name: str, user: str) -> str:
    info = server.conninfo(name, user=user)
    info.pop("password", None)
    return psycopg2.extensions.make_dsn(**info)


def _run(server: Server, arguments: list[str], *, timeout_s: float) -> subprocess.CompletedProcess[str]:
    secret = {"PGPASSWORD": server.password} if server.password else {}
    environment = {**server.binaries.environment(), **secret, "PGAPPNAME": "workbench", "HOME": os.devnull}
    try:
        return subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as exc:
        raise EngineError(
            f"{Path(arguments[0]).name} did not end in {timeout_s:g} s: raise --timeout"
        ) from exc


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if "error:" in line] or done.stderr.splitlines()
    return lines[0].partition("error: ")[2] or lines[0] if lines else "no message"
