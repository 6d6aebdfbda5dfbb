"""What users of a MongoDB can do with their roles, done on a private server with the same users and roles."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pymongo.errors import OperationFailure

from workbench.areas.security.posture.mongodb_facts import Person, ServerFacts
from workbench.areas.security.posture.mongodb_users import held, restriction, revocation
from workbench.engines.mongo import Client, MongoServer, private_mongod
from workbench.proof.findings import Evidence, Finding

_OTHER, _SPARE, _KEPT = "wb_other", "wb_spare", "kept"
_REFUSED = 13
_TRIED = ("mongodb_powerful_user", "mongodb_wide_user", "mongodb_any_resource")


@dataclass(frozen=True)
class _Deed:
    """What is tried in a database that the user has nothing to do with, in the words of the evidence."""

    words: str
    do: Callable[[Client], object]


def _make_user(client: Client) -> object:
    name = f"wb_{secrets.token_hex(4)}"
    return client.admin.command("createUser", name, pwd=secrets.token_hex(16), roles=["root"])


_READ = _Deed("read a document of another database", lambda client: client[_OTHER][_KEPT].find_one())
_WRITE = _Deed("wrote into another database", lambda client: client[_OTHER][_KEPT].insert_one({}))
_DEEDS: dict[str, _Deed] = {
    "root": _Deed("made another user with the role root", _make_user),
    "__system": _Deed("made another user with the role root", _make_user),
    "userAdminAnyDatabase": _Deed("made another user with the role root", _make_user),
    "readWriteAnyDatabase": _WRITE,
    "restore": _WRITE,
    "dbAdminAnyDatabase": _Deed(
        "made a collection in another database",
        lambda client: client[_OTHER].create_collection(f"wb_{secrets.token_hex(4)}"),
    ),
    "clusterAdmin": _Deed("dropped another database", lambda client: client.drop_database(_SPARE)),
}


def prove_roles(facts: ServerFacts, findings: Sequence[Finding]) -> list[Finding]:
    """*findings* about users and roles with what these did on a private server, before and after the fix.

    The users are made there with passwords of our own; nothing is sent to the named server. Raises
    EngineError where the private server does not start, FeatureUnavailable where there is none here.
    """
    if not any(each.check in _TRIED for each in findings):
        return list(findings)
    with _copy(facts) as copy:
        return [_proved(copy, facts, each) if each.check in _TRIED else each for each in findings]


@dataclass(frozen=True)
class _Copy:
    """A private server with the roles and users of the facts, and the passwords that these have there."""

    server: MongoServer
    admin: Client
    passwords: dict[Person, str]


@contextmanager
def _copy(facts: ServerFacts) -> Iterator[_Copy]:
    with private_mongod(replica_set=False) as (server, _), server.client() as admin:
        for role in facts.roles or ():
            admin[role.database].command("createRole", role.name, privileges=[], roles=[])
        for role in facts.roles or ():
            admin[role.database].command(
                "updateRole", role.name, privileges=list(role.privileges), roles=_documents(role.roles)
            )
        passwords: dict[Person, str] = {}
        for person in facts.people or ():
            if person.database == "$external":
                continue
            password = secrets.token_hex(16)
            with suppress(OperationFailure):  # a role of a newer server, or the name of our administrator
                admin[person.database].command(
                    "createUser", person.name, pwd=password, roles=_documents(person.roles)
                )
                passwords[person] = password
        yield _Copy(server, admin, passwords)


def _documents(roles: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": name, "db": where} for name, where in roles]


def _proved(copy: _Copy, facts: ServerFacts, finding: Finding) -> Finding:
    target = _target(copy, facts, finding)
    if target is None:
        return replace(
            finding,
            unverified_because="no user with the role could be made on a private server",
        )
    person, deed, (where, command), undo = target
    for name in (_OTHER, _SPARE):
        copy.admin[name][_KEPT].insert_one({"secret": True})
    before = _did(copy, person, deed)
    copy.admin[where].command(command)
    after = _did(copy, person, deed)
    copy.admin[where].command(undo)
    if before is not None:
        return replace(finding, unverified_because=f"tried on a private server and not shown: {before}")
    evidence = Evidence(
        "attempt",
        f"On a private server with the same users and roles {person.title} {deed.words}. After the fix: "
        + (f"{after}." if after else "it still did."),
        copy.server.description,
        {"reached": True, "reached_after_fix": after is None},
    )
    doubt = "" if after else "the fix runs on the private server, yet the user may still do it"
    return replace(finding, verified=not doubt, unverified_because=doubt, evidence=(evidence,))


Target: TypeAlias = tuple[Person, _Deed, tuple[str, dict[str, Any]], dict[str, Any]]


def _target(copy: _Copy, facts: ServerFacts, finding: Finding) -> Target | None:
    """Who tries what, the fix with its database, and what takes the fix back."""
    people = list(copy.passwords)
    if finding.check == "mongodb_any_resource":
        for person in people:
            for role in held(facts, person):
                if f"{role.database}.{role.name}" == finding.object:
                    undo = {"updateRole": role.name, "privileges": list(role.privileges)}
                    return person, _READ, restriction(role), undo
        return None
    for person in people:
        for name, deed in _DEEDS.items():
            if finding.object in (person.title, f"{person.title}.{name}") and f"has {name}" in finding.title:
                where, command = revocation(facts, person, name)
                undo = {
                    key.replace("revokeRolesFrom", "grantRolesTo"): value for key, value in command.items()
                }
                return person, deed, (where, command), undo
    return None


def _did(copy: _Copy, person: Person, deed: _Deed) -> str | None:
    """None where *person* could; else what the server said."""
    server = replace(copy.server, options={"authSource": person.database})
    with server.client(user=person.name, password=copy.passwords[person]) as client:
        try:
            deed.do(client)
        except OperationFailure as exc:
            said = str((exc.details or {}).get("errmsg", exc)).splitlines()[0]
            return "the server refused it" if exc.code == _REFUSED else said
    return None
