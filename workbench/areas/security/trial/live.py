"""The design that a source has today, as a target of the same attacks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.intent.model import Intent, RoleIntent
from workbench.areas.security.trial.identities import identities_of
from workbench.areas.security.trial.model import Identities, Place, Target
from workbench.areas.security.trial.sessions import session_of
from workbench.areas.security.trial.standing import place_copy
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection

_ROLES = "security/attacks/matrix/roles.sql"


@contextlib.contextmanager
def found(
    place: Place,
    intent: Intent,
    *,
    setting: str | None = None,
    superusers: frozenset[str] = frozenset(),
    logins_known: bool = True,
) -> Iterator[Target]:
    """A copy of *place* (made with as_found) as it is; gone after the block.

    A session acts for an identity by the settings that the policies read (*setting* names it where they do
    not: ``app.tenant``, ``request.jwt.claims ->> sub``), else by its role where they ask for the user. The
    intent of the target has the roles that the source has; of the others, *superusers* among them, the
    target says that nothing is tried as they. A group that acts for an identity, which sessions become by
    SET ROLE, may log in here; of a script, which says of no role whether it may (not *logins_known*), the
    intent decides. Raises BadInput where two identities cannot be had.
    """
    with place_copy(place, "found") as database:
        with place.server.session(database) as conn:
            session = session_of(conn, setting)
            names = [each.name for each in intent.roles]
            there = {row["name"] for row in sql.fetch(conn, _ROLES, {"names": names})} - superusers
            left_out = [_why_not(each, superusers) for each in names if each not in there]
            known = _of_the_source(intent, there)
            identities = identities_of(place, intent)
            if session.by_role:
                identities = _of_roles(conn, place, known, identities)
                left_out += _others(known, identities)
        with _logins(place, known, kept=logins_known) as changed:
            yield Target(
                place,
                database,
                changed,
                None,
                identities,
                session.act,
                name="as found",
                settings=session.settings,
                by_role=session.by_role,
                asks=session.expression(intent.identity.type) if intent.identity else "",
                left_out=tuple(left_out),
            )


def _why_not(role: str, superusers: frozenset[str]) -> str:
    if role in superusers:
        return f"{role}: is a superuser, whom no right binds, so attempts as it would prove nothing"
    return f"{role}: the source has no such role, so nothing was tried as it"


def _of_the_source(intent: Intent, there: set[str]) -> Intent:
    """*intent* with the roles that are there, which keep what they inherit from the others."""
    roles = tuple(
        replace(each, inherits=intent.lineages[each.name][1:]) for each in intent.roles if each.name in there
    )
    return replace(intent, roles=roles)


@contextlib.contextmanager
def _logins(place: Place, intent: Intent, *, kept: bool) -> Iterator[Intent]:
    """For the block, the roles that act for an identity may log in; the intent that says the same."""
    raised = [each for each in intent.roles if each.kind == "group" and each.identified == "token"]
    roles = tuple(replace(each, kind="login") if each in raised else each for each in intent.roles)
    names = [each.name for each in roles]
    with place.server.session() as conn:
        before = {row["name"]: row["can_log_in"] for row in sql.fetch(conn, _ROLES, {"names": names})}
        decided = {each.name: each.kind == "login" for each in (raised if kept else roles)}
        _let_log_in(conn, {**decided, **{each.name: True for each in raised}})
    try:
        yield replace(intent, roles=roles)
    finally:
        with place.server.session() as conn:
            _let_log_in(conn, before)


def _let_log_in(conn: Connection, roles: Mapping[str, bool]) -> None:
    for name, may in roles.items():
        word = composed.SQL("login" if may else "nologin")
        conn.execute(composed.SQL("alter role {} {}").format(composed.Identifier(name), word))


def _identified(intent: Intent) -> list[RoleIntent]:
    return [each for each in intent.roles if each.identified == "token"]


def _of_roles(conn: Connection, place: Place, intent: Intent, identities: Identities) -> Identities:
    """Two identities that are the names of roles; rows of the others are made theirs where they have none.

    Rows that were generated belong to names that no role has.
    """
    roles = sorted(each.name for each in _identified(intent))
    owning = [each for each in (identities.a, identities.b) if each in roles]
    a, b = (owning + [each for each in roles if each not in owning] + [identities.b, identities.a])[:2]
    if (a, b) == (identities.a, identities.b):
        return identities
    _renamed(conn, place, intent, {identities.a: a, identities.b: b})
    note = f"rows of {qualified(identities.a)} were given to {qualified(a)}, those of "
    return Identities(a, b, f"{note}{qualified(identities.b)} to {qualified(b)}")


def _renamed(conn: Connection, place: Place, intent: Intent, names: Mapping[str, str]) -> None:
    """In the copy, the identities of *names* get another name in every column that holds them."""
    columns = {(name, owner.column) for name, owner in intent.owners.items() if owner.column}
    if intent.identity is not None:
        columns.add((intent.identity.table, intent.identity.column))
    old, new = list(names), list(names.values())
    conn.execute("begin; set local session_replication_role = replica")
    for table, column in sorted(columns):
        conn.execute(
            composed.SQL(sql.read("security/trial/renamed.sql")).format(
                table=composed.Identifier(*table),
                column=composed.Identifier(column),
                type=composed.SQL(place.catalog.table(*table).column(column).type),
            ),
            {"old": old, "new": new},
        )
    conn.execute("commit")


def _others(intent: Intent, identities: Identities) -> list[str]:
    """The roles that act for themselves and are not attacked with: one of them stands for all."""
    names = [each.name for each in _identified(intent) if each.name != identities.a]
    return [f"{name}: acts for itself alone; {identities.a} was tried against it" for name in names]
