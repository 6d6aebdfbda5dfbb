"""What users and roles of a MongoDB amount to: a function a check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from workbench.areas.security.posture.model import AREA
from workbench.areas.security.posture.mongodb_facts import OwnRole, Person, ServerFacts
from workbench.areas.security.posture.mongodb_options import option
from workbench.proof.findings import Finding

_ALL = frozenset({"root", "__system"})
_WIDE = frozenset(
    {
        "clusterAdmin",
        "dbAdminAnyDatabase",
        "readWriteAnyDatabase",
        "restore",
        "userAdminAnyDatabase",
    }
)


# the last day of each version, as known when this was made; of a newer one nothing is said
def powerful_users(facts: ServerFacts) -> Iterator[Finding]:
    holders = [(each, name) for each in facts.people or () for name in sorted(_reach(facts, each) & _ALL)]
    roots = sum(name == "root" for _, name in holders)
    for person, name in holders:
        if name == "root" and roots == 1:
            continue  # somebody has to be the administrator
        yield Finding(
            AREA,
            "mongodb_powerful_user",
            "error" if name == "__system" else "warn",
            person.title,
            f"{person.title} has {name}" + (f", as {roots - 1} more have" if name == "root" else ""),
            "It may do everything to every database, users and the configuration among them. __system is for "
            "the members of a cluster and nobody else. Source: CIS MongoDB Benchmark, section 3, "
            "Authorization; MongoDB manual, Built-In Roles.",
            _revoke(person, facts, name),
        )


def wide_users(facts: ServerFacts) -> Iterator[Finding]:
    for person in facts.people or ():
        for name in sorted(_reach(facts, person) & _WIDE):
            yield Finding(
                AREA,
                "mongodb_wide_user",
                "warn",
                f"{person.title}.{name}",
                f"{person.title} has {name}",
                "It holds for every database, those made later too"
                + (", and may give itself any role" if name in ("userAdminAnyDatabase", "restore") else "")
                + ". A program needs readWrite on its own. Source: CIS MongoDB Benchmark, section 3, "
                "Authorization; MongoDB manual, All-Database Roles.",
                _revoke(person, facts, name),
            )


def any_resource(facts: ServerFacts) -> Iterator[Finding]:
    for role in facts.roles or ():
        if any(
            each["resource"].get("anyResource") or "anyAction" in each["actions"] for each in role.privileges
        ):
            yield Finding(
                AREA,
                "mongodb_any_resource",
                "error",
                f"{role.database}.{role.name}",
                f"the role {role.name} reaches any resource or may do anything",
                "anyResource and anyAction are meant for the server's own use: the role is another root. "
                "Source: MongoDB manual, Resource Document and Privilege Actions.",
                f"// and add the privileges that it needs, each with its database\n"
                f"db.getSiblingDB({json.dumps(role.database)}).runCommand({json.dumps(restriction(role)[1])})",
            )


def weak_mechanism(facts: ServerFacts) -> Iterator[Finding]:
    for person in facts.people or ():
        if person.mechanisms == ("SCRAM-SHA-1",):
            yield Finding(
                AREA,
                "mongodb_weak_mechanism",
                "warn",
                person.title,
                f"{person.title} logs in by SCRAM-SHA-1 alone",
                "Its verifier is built on MD5 and SHA-1: whoever has it finds the password sooner. Source: "
                "MongoDB manual, SCRAM.",
                f"db.getSiblingDB({json.dumps(person.database)}).updateUser({json.dumps(person.name)}, "
                '{mechanisms: ["SCRAM-SHA-256"], pwd: passwordPrompt()})',
            )


def no_address_limit(facts: ServerFacts) -> Iterator[Finding]:
    free = [
        each.title for each in facts.people or () if each.limited is False and each.database != "$external"
    ]
    if free:
        yield Finding(
            AREA,
            "mongodb_no_address_limit",
            "info",
            "server.users",
            f"{len(free)} users may log in from any address: {', '.join(free[:5])}"
            + (f" and {len(free) - 5} more" if len(free) > 5 else ""),
            "A stolen password opens the database from wherever the port is reached. Source: MongoDB manual, "
            "createUser, authenticationRestrictions.",
            "\n".join(
                f"db.getSiblingDB({json.dumps(each.database)}).updateUser({json.dumps(each.name)}, "
                '{authenticationRestrictions: [{clientSource: ["10.0.0.0/8"]}]}) // its own network'
                for each in facts.people or ()
                if each.title in free
            ),
        )


def localhost_exception(facts: ServerFacts) -> Iterator[Finding]:
    if facts.people == () and option(facts, "setParameter.enableLocalhostAuthBypass") is not False:
        yield Finding(
            AREA,
            "mongodb_localhost_exception",
            "warn",
            "server.enableLocalhostAuthBypass",
            "there is no user, so who comes from the machine itself may make the first",
            "The localhost exception is open until a user is made. Source: CIS MongoDB Benchmark, section 2; "
            "MongoDB manual, Localhost Exception.",
            "db.getSiblingDB('admin').createUser({user: 'administrator', pwd: passwordPrompt(), "
            "roles: ['userAdminAnyDatabase']})",
        )


def _reach(facts: ServerFacts, person: Person) -> set[str]:
    """The built-in roles on admin that *person* has, by way of other roles too."""
    own = {(each.name, each.database): each for each in facts.roles or ()}
    names = {name for name, where in person.roles if where == "admin"}
    for role in person.roles:
        if role in own:
            names |= {name for name, where in own[role].inherited if where == "admin"}
    return names


def revocation(facts: ServerFacts, person: Person, name: str) -> tuple[str, dict[str, Any]]:
    """The database and the command that take *name* from the user, or from the role that hands it on."""
    granted = [{"role": name, "db": "admin"}]
    if (name, "admin") in person.roles:
        return person.database, {"revokeRolesFromUser": person.name, "roles": granted}
    holder = next(each for each in held(facts, person) if (name, "admin") in each.inherited)
    return holder.database, {"revokeRolesFromRole": holder.name, "roles": granted}


def _revoke(person: Person, facts: ServerFacts, name: str) -> str:
    where, command = revocation(facts, person, name)
    return f"db.getSiblingDB({json.dumps(where)}).runCommand({json.dumps(command)})"


def restriction(role: OwnRole) -> tuple[str, dict[str, Any]]:
    """The database and the command that leave *role* what names a resource and an action."""
    kept = [
        each
        for each in role.privileges
        if not each["resource"].get("anyResource") and "anyAction" not in each["actions"]
    ]
    return role.database, {"updateRole": role.name, "privileges": kept}


def held(facts: ServerFacts, person: Person) -> list[OwnRole]:
    """The roles of *person* that are not built in."""
    return [each for each in facts.roles or () if (each.name, each.database) in person.roles]
