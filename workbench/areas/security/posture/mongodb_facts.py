"""What a MongoDB tells of its own security, as far as the login may ask, through the reading path alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from workbench.engines.mongo_reading import ReadOnlyDatabase, connect_read_only
from workbench.errors import NotAuthorized, ServerTooOld, SourceError, SourceUnreachable

_LOGIN_OPTIONS = frozenset({"authsource", "authmechanism", "authmechanismproperties"})
PARAMETERS = ("enableLocalhostAuthBypass", "featureCompatibilityVersion", "authenticationMechanisms")


@dataclass(frozen=True)
class Person:
    """A user of the server: roles are (role, database), *mechanisms* the ways in which it may log in.

    *limited* says whether it may come from certain addresses only; None where that could not be read.
    """

    name: str
    database: str
    roles: tuple[tuple[str, str], ...]
    mechanisms: tuple[str, ...] = ()
    limited: bool | None = None

    @property
    def title(self) -> str:
        return f"{self.database}.{self.name}"


@dataclass(frozen=True)
class OwnRole:
    """A role that is not built in, with what it grants; *inherited* are all roles that it has in the end."""

    name: str
    database: str
    privileges: tuple[Mapping[str, Any], ...]
    roles: tuple[tuple[str, str], ...]
    inherited: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ServerFacts:
    """What could be read. None is what the login may not ask; *refused* says so, by question.

    *options* are those that the server was started with, *anonymous* whether it answers who has no login.
    """

    database: str
    server: str
    version: tuple[int, ...]
    is_enterprise: bool
    login: str
    in_set: bool
    anonymous: bool | None
    options: Mapping[str, Any] | None
    parameters: Mapping[str, Any]
    people: tuple[Person, ...] | None
    roles: tuple[OwnRole, ...] | None
    profile_level: int | None
    refused: Mapping[str, str] = field(default_factory=dict)


def server_facts(database: ReadOnlyDatabase, url: str) -> ServerFacts:
    """The facts of the server behind *database*, which *url* named. Only reads are sent."""
    refused: dict[str, str] = {}

    def ask(question: str, command: Mapping[str, Any], where: str = "admin") -> dict[str, Any] | None:
        try:
            return database.command(command, database=where)
        except (NotAuthorized, SourceError) as exc:
            refused[question] = str(exc)
            return None

    status = ask("connection", {"connectionStatus": 1}) or {}
    build = ask("build", {"buildInfo": 1}) or {}
    hello = ask("hello", {"hello": 1}) or {}
    started = ask("options", {"getCmdLineOpts": 1})
    parameters = {}
    for name in PARAMETERS:
        answer = ask(name, {"getParameter": 1, name: 1})
        if answer is not None and name in answer:
            parameters[name] = answer[name]
    profile = ask("profile", {"profile": -1}, database.name)
    people = _people(ask)
    logged_in = status.get("authInfo", {}).get("authenticatedUsers", [])
    return ServerFacts(
        database=database.name,
        server=database.server,
        version=tuple(int(each) for each in build.get("versionArray", ())),
        is_enterprise="enterprise" in build.get("modules", ()),
        login=", ".join(f"{each['db']}.{each['user']}" for each in logged_in),
        in_set=bool(hello.get("setName")) or hello.get("msg") == "isdbgrid",
        anonymous=answers_anybody(url, database.name),
        options=None if started is None else started.get("parsed", {}),
        parameters=parameters,
        people=people,
        roles=None if people is None else _own_roles(ask, people),
        profile_level=None if profile is None else int(profile["was"]),
        refused=refused,
    )


def answers_anybody(url: str, name: str) -> bool | None:
    """Whether the server lists the collections of *name* without a login; None where it cannot be told."""
    try:
        with connect_read_only(_without_login(url, name), timeout_s=10):
            return True
    except ServerTooOld:
        return None
    except (NotAuthorized, SourceUnreachable) as exc:
        said = str(exc)
        return False if "asks for a login" in said or "may not read" in said else None
    except SourceError:
        return None


def _without_login(url: str, name: str) -> str:
    scheme, _, rest = url.partition("://")
    place, _, query = rest.rpartition("@")[2].partition("?")
    kept = [pair for pair in parse_qsl(query) if pair[0].lower() not in _LOGIN_OPTIONS]
    return f"{scheme}://{place}" + (f"?{urlencode(kept)}" if kept else "")


def _people(ask: Any) -> tuple[Person, ...] | None:
    listed = ask("users", {"usersInfo": {"forAllDBs": True}})
    if listed is None:
        return None
    users = listed["users"]
    limits: dict[tuple[str, str], bool] = {}
    if users:
        named = [{"user": each["user"], "db": each["db"]} for each in users]
        shown = ask("restrictions", {"usersInfo": named, "showAuthenticationRestrictions": True})
        for each in (shown or {}).get("users", []):
            limits[each["db"], each["user"]] = bool(each.get("authenticationRestrictions"))
    return tuple(
        Person(
            each["user"],
            each["db"],
            _names(each["roles"]),
            tuple(each.get("mechanisms", ())),
            limits.get((each["db"], each["user"])),
        )
        for each in sorted(users, key=lambda user: (user["db"], user["user"]))
    )


def _own_roles(ask: Any, people: tuple[Person, ...]) -> tuple[OwnRole, ...] | None:
    """The roles that users have, and those that these have, which are not built in."""
    named = sorted({role for each in people for role in each.roles})
    if not named:
        return ()
    known: dict[tuple[str, str], OwnRole] = {}
    while named:
        asked = [{"role": role, "db": where} for role, where in named]
        answer = ask("roles", {"rolesInfo": asked, "showPrivileges": True})
        if answer is None:
            return None
        found = [each for each in answer["roles"] if not each.get("isBuiltin")]
        for each in found:
            known[each["role"], each["db"]] = OwnRole(
                each["role"],
                each["db"],
                tuple(each.get("privileges", ())),
                _names(each.get("roles", ())),
                _names(each.get("inheritedRoles", ())),
            )
        further = {role for each in found for role in _names(each.get("roles", ()))}
        named = sorted(further - known.keys() - set(named))
    return tuple(known[key] for key in sorted(known))


def _names(roles: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((each["role"], each["db"]) for each in roles))
