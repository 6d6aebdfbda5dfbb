"""As whom the attacks are made: on a connection of the role itself, or of a login that is a member of it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.trial.model import Target
from workbench.engines.postgres import Connection
from workbench.errors import EngineError

_ROLES = "security/attacks/matrix/roles.sql"
_TIMEOUTS = "set statement_timeout = '20s'; set lock_timeout = '2s'"
ActorKind = Literal["user", "owner", "audit owner", "superuser"]


@dataclass(frozen=True)
class Actor:
    """A *role* of the intent and the *login* that attacks as it, for *identity* (``A``, or "" for nobody).

    Nobody logs in as a group or an owner: a login that is made for the run and is a member of it does.
    """

    role: str
    login: str
    identity: str
    kind: ActorKind
    identified: bool = False

    def connect(self, target: Target) -> Connection:
        """A connection that acts for the identity, with limits on time."""
        conn = target.connect(self.login, target.identities.a if self.identity else None)
        conn.execute(_TIMEOUTS)
        return conn


@contextlib.contextmanager
def actors(target: Target) -> Iterator[tuple[tuple[Actor, ...], list[str]]]:
    """The actors of the intent's roles, the superuser last, and what could not be had, one line each.

    Raises EngineError where a role that is to be attacked is a superuser: against one, every design fails
    and every test of a right passes.
    """
    kinds = {"group": "user", "login": "user", "owner": "owner", "audit owner": "audit owner"}
    with target.place.server.session(target.database) as conn, contextlib.ExitStack() as stack:
        found = {
            row["name"]: row
            for row in sql.fetch(conn, _ROLES, {"names": [each.name for each in target.intent.roles]})
        }
        if false := [name for name, row in found.items() if row["superuser"]]:
            raise EngineError(
                f"role {false[0]} is a superuser, to whom no right applies: attacks by it prove nothing; "
                f"alter role {false[0]} nosuperuser"
            )
        made, left_out = [], []
        for role in target.intent.roles:
            if role.name not in found:
                left_out.append(f"{role.name}: is not in the cluster, so nothing was tried as it")
                continue
            kind: ActorKind = kinds[role.kind]  # type: ignore[assignment]
            login = role.name
            if role.kind != "login":
                login = stack.enter_context(_member(conn, target.database, role.name))
            identities = target.acts_for(role)
            identified = role.identified == "token"
            made += [Actor(role.name, login, identity, kind, identified) for identity in identities]
        superuser = target.place.server.user
        yield (*made, Actor(superuser, superuser, "", "superuser")), left_out


@contextlib.contextmanager
def _member(conn: Connection, database: str, role: str) -> Iterator[str]:
    """A login that is a member of *role*, gone after the block."""
    name = f"wb_member_{uuid.uuid4().hex[:12]}"
    names = {"name": composed.Identifier(name), "role": composed.Identifier(role)}
    try:
        conn.execute(
            composed.SQL(
                "create role {name} login in role {role}; grant connect on database {database} to {name}"
            ).format(**names, database=composed.Identifier(database))
        )
        yield name
    finally:
        conn.execute(composed.SQL("drop owned by {name}; drop role {name}").format(**names))


def refused_login(target: Target, login: str) -> str:
    """Why the server does not let *login* in; nothing where it does."""
    try:
        target.place.server.connect_once(target.database, user=login).close()
    except psycopg2.OperationalError as exc:
        return str(exc).strip().splitlines()[-1].rpartition("FATAL: ")[2].strip()
    return ""
