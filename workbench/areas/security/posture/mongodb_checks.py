"""What the facts of a MongoDB amount to: a function a check, each listed with its page in docs/checks."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workbench.areas.security.posture.model import AREA
from workbench.areas.security.posture.mongodb_facts import OwnRole, Person, ServerFacts
from workbench.proof.findings import Finding, Severity

Asks = Literal["anonymous", "options", "users", "profile", "version", "compatibility"]
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
_LAST_DAYS: Mapping[tuple[int, ...], dt.date] = {
    (4, 4): dt.date(2024, 2, 29),
    (5, 0): dt.date(2024, 10, 31),
    (6, 0): dt.date(2025, 7, 31),
    (7, 0): dt.date(2027, 8, 31),
    (8, 0): dt.date(2029, 10, 31),
}


@dataclass(frozen=True)
class MongoCheck:
    """A check of a MongoDB's posture, the worst *level* it gives, and what it *asks* the server."""

    name: str
    title: str
    level: Severity
    section: str
    control: str
    asks: Asks
    find: Callable[[ServerFacts], Iterator[Finding]]

    @property
    def page(self) -> str:
        """The page that documents it, from the root of the repository."""
        return f"docs/checks/{AREA}_{self.name}.md"


def _finding(check: str, severity: Severity, where: str, title: str, why: str, fix: str) -> Finding:
    return Finding(AREA, check, severity, where, title, why, fix)


def option(facts: ServerFacts, path: str) -> Any:
    """The option *path*, such as ``net.tls.mode``, as the server was started with; None where it was not."""
    value: Any = facts.options
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def is_local(facts: ServerFacts) -> bool:
    """Whether the server listens on the loopback and sockets alone, as it does by default."""
    addresses = str(option(facts, "net.bindIp") or "localhost").split(",")
    return not option(facts, "net.bindIpAll") and all(
        each.strip() in ("localhost", "127.0.0.1", "::1") or each.strip().startswith("/")
        for each in addresses
    )


def _no_authentication(facts: ServerFacts) -> Iterator[Finding]:
    if facts.anonymous:
        yield _finding(
            "mongodb_no_authentication",
            "error",
            "server",
            "the server answers who has no login",
            "Whoever reaches its port reads, changes and drops every database. Source: CIS MongoDB "
            "Benchmark, section 2, Authentication; MongoDB manual, Enable Access Control.",
            "# first make an administrator: db.getSiblingDB('admin').createUser({...})\n"
            "# mongod.conf, then restart\nsecurity:\n  authorization: enabled",
        )


def _powerful_users(facts: ServerFacts) -> Iterator[Finding]:
    holders = [(each, name) for each in facts.people or () for name in sorted(_reach(facts, each) & _ALL)]
    roots = sum(name == "root" for _, name in holders)
    for person, name in holders:
        if name == "root" and roots == 1:
            continue  # somebody has to be the administrator
        yield _finding(
            "mongodb_powerful_user",
            "error" if name == "__system" else "warn",
            person.title,
            f"{person.title} has {name}" + (f", as {roots - 1} more have" if name == "root" else ""),
            "It may do everything to every database, users and the configuration among them. __system is for "
            "the members of a cluster and nobody else. Source: CIS MongoDB Benchmark, section 3, "
            "Authorization; MongoDB manual, Built-In Roles.",
            _revoke(person, facts, name),
        )


def _wide_users(facts: ServerFacts) -> Iterator[Finding]:
    for person in facts.people or ():
        for name in sorted(_reach(facts, person) & _WIDE):
            yield _finding(
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


def _any_resource(facts: ServerFacts) -> Iterator[Finding]:
    for role in facts.roles or ():
        if any(
            each["resource"].get("anyResource") or "anyAction" in each["actions"] for each in role.privileges
        ):
            yield _finding(
                "mongodb_any_resource",
                "error",
                f"{role.database}.{role.name}",
                f"the role {role.name} reaches any resource or may do anything",
                "anyResource and anyAction are meant for the server's own use: the role is another root. "
                "Source: MongoDB manual, Resource Document and Privilege Actions.",
                f"// and add the privileges that it needs, each with its database\n"
                f"db.getSiblingDB({json.dumps(role.database)}).runCommand({json.dumps(restriction(role)[1])})",
            )


def _weak_mechanism(facts: ServerFacts) -> Iterator[Finding]:
    for person in facts.people or ():
        if person.mechanisms == ("SCRAM-SHA-1",):
            yield _finding(
                "mongodb_weak_mechanism",
                "warn",
                person.title,
                f"{person.title} logs in by SCRAM-SHA-1 alone",
                "Its verifier is built on MD5 and SHA-1: whoever has it finds the password sooner. Source: "
                "MongoDB manual, SCRAM.",
                f"db.getSiblingDB({json.dumps(person.database)}).updateUser({json.dumps(person.name)}, "
                '{mechanisms: ["SCRAM-SHA-256"], pwd: passwordPrompt()})',
            )


def _no_address_limit(facts: ServerFacts) -> Iterator[Finding]:
    free = [
        each.title for each in facts.people or () if each.limited is False and each.database != "$external"
    ]
    if free:
        yield _finding(
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


def _listens_everywhere(facts: ServerFacts) -> Iterator[Finding]:
    shown = str(option(facts, "net.bindIp") or "")
    if option(facts, "net.bindIpAll") or {"0.0.0.0", "::", "*"} & {each.strip() for each in shown.split(",")}:  # noqa: S104 - it is looked for
        yield _finding(
            "mongodb_listens_everywhere",
            "warn" if facts.anonymous else "info",
            "server.net.bindIp",
            "the server listens on every address of the machine",
            "An address that is added later is open without a decision. In a container, whose network is "
            "closed by its platform, this is usual. Source: CIS MongoDB Benchmark, section 6; MongoDB "
            "manual, IP Binding.",
            "# mongod.conf, then restart\nnet:\n  bindIp: localhost,the address that programs use",
        )


def _tls(facts: ServerFacts) -> Iterator[Finding]:
    mode = str(option(facts, "net.tls.mode") or option(facts, "net.ssl.mode") or "disabled")
    if mode not in ("requireTLS", "requireSSL") and not is_local(facts):
        yield _finding(
            "mongodb_no_tls",
            "error" if mode == "disabled" else "warn",
            "server.net.tls.mode",
            "the server listens on the network and has no TLS"
            if mode == "disabled"
            else f"net.tls.mode is {mode}: connections without TLS are taken",
            "Documents and commands cross the network in clear. Source: CIS MongoDB Benchmark, section 4, "
            "Data Encryption; MongoDB manual, Configure mongod and mongos for TLS/SSL.",
            "# mongod.conf, then restart\nnet:\n  tls:\n    mode: requireTLS\n    certificateKeyFile: …\n"
            "    CAFile: …",
        )
    for name in ("allowInvalidCertificates", "allowInvalidHostnames"):
        if option(facts, f"net.tls.{name}") or option(facts, f"net.ssl.{name}"):
            yield _finding(
                "mongodb_no_tls",
                "warn",
                f"server.net.tls.{name}",
                f"net.tls.{name} is set",
                "The server takes a certificate of anybody: whoever is on the way can stand in between. "
                "Source: MongoDB manual, net.tls Options.",
                f"# mongod.conf, then restart\nnet:\n  tls:\n    {name}: false",
            )


def _no_audit(facts: ServerFacts) -> Iterator[Finding]:
    if not option(facts, "auditLog.destination"):
        how = (
            "# mongod.conf, then restart\nauditLog:\n  destination: file\n  format: BSON\n  path: …"
            if facts.is_enterprise
            else "# this server is of the Community edition, which has no audit log: MongoDB Enterprise and "
            "Atlas have\nnull"
        )
        yield _finding(
            "mongodb_no_audit",
            "info",
            "server.auditLog",
            "the server keeps no audit log",
            "Who changed users, roles or collections cannot be told afterwards. Source: CIS MongoDB "
            "Benchmark, section 5, Auditing; MongoDB manual, Auditing (Enterprise).",
            how,
        )


def _javascript(facts: ServerFacts) -> Iterator[Finding]:
    if option(facts, "security.javascriptEnabled") is not False:
        yield _finding(
            "mongodb_javascript",
            "info",
            "server.security.javascriptEnabled",
            "the server runs JavaScript that clients send",
            "$where, $function and mapReduce run it: an injection into a query becomes code. Source: CIS "
            "MongoDB Benchmark, section 6; MongoDB manual, Security Checklist.",
            "# mongod.conf, then restart; where nothing uses $where, $function, $accumulator and mapReduce\n"
            "security:\n  javascriptEnabled: false",
        )


def _localhost_exception(facts: ServerFacts) -> Iterator[Finding]:
    if facts.people == () and option(facts, "setParameter.enableLocalhostAuthBypass") is not False:
        yield _finding(
            "mongodb_localhost_exception",
            "warn",
            "server.enableLocalhostAuthBypass",
            "there is no user, so who comes from the machine itself may make the first",
            "The localhost exception is open until a user is made. Source: CIS MongoDB Benchmark, section 2; "
            "MongoDB manual, Localhost Exception.",
            "db.getSiblingDB('admin').createUser({user: 'administrator', pwd: passwordPrompt(), "
            "roles: ['userAdminAnyDatabase']})",
        )


def _no_member_login(facts: ServerFacts) -> Iterator[Finding]:
    has_login = option(facts, "security.keyFile") or option(facts, "security.clusterAuthMode")
    if facts.in_set and not has_login:
        yield _finding(
            "mongodb_no_member_login",
            "error",
            "server.security.keyFile",
            "members of the cluster do not prove to one another who they are",
            "Any server that reaches a member may join it as one and has all data. Source: CIS MongoDB "
            "Benchmark, section 2; MongoDB manual, Internal/Membership Authentication.",
            "# mongod.conf of every member, then restart one after the other\n"
            "security:\n  clusterAuthMode: x509",
        )


def _values_in_log(facts: ServerFacts) -> Iterator[Finding]:
    if facts.is_enterprise and not option(facts, "security.redactClientLogData"):
        yield _finding(
            "mongodb_values_in_log",
            "info",
            "server.security.redactClientLogData",
            "the log shows the values of slow operations",
            "Personal data of a query stand in the log. Source: MongoDB manual, Log Redaction (Enterprise).",
            "# mongod.conf, then restart\nsecurity:\n  redactClientLogData: true",
        )


def _profiler(facts: ServerFacts) -> Iterator[Finding]:
    if facts.profile_level:
        yield _finding(
            "mongodb_profiler_holds_values",
            "info",
            f"{facts.database}.system.profile",
            f"the profiler is at level {facts.profile_level} and keeps operations with their values",
            "Whoever may read system.profile reads values of documents that he may not read. Source: MongoDB "
            "manual, Database Profiler.",
            f"db.getSiblingDB({json.dumps(facts.database)}).setProfilingLevel(0)",
        )


def _version(facts: ServerFacts) -> Iterator[Finding]:
    last = _LAST_DAYS.get(facts.version[:2])
    if last and last < dt.datetime.now(dt.UTC).date():
        yield _finding(
            "mongodb_version",
            "error",
            "server.version",
            f"{facts.server} gets no corrections since {last}",
            "Corrections of security are made for versions that are kept. The dates are those known when "
            "this workbench was made. Source: MongoDB Software Lifecycle Schedules; CIS MongoDB Benchmark, "
            "section 1.",
            "# upgrade to a version that is kept, one major after the other\n"
            "db.adminCommand({getParameter: 1, featureCompatibilityVersion: 1})",
        )


def _compatibility(facts: ServerFacts) -> Iterator[Finding]:
    shown = facts.parameters.get("featureCompatibilityVersion", {}).get("version")
    running = ".".join(map(str, facts.version[:2]))
    if shown and shown != running:
        yield _finding(
            "mongodb_feature_compatibility",
            "info",
            "server.featureCompatibilityVersion",
            f"the server runs {running} and behaves as {shown}",
            "An upgrade was not finished, and the next cannot be begun. Source: MongoDB manual, "
            "setFeatureCompatibilityVersion.",
            f'db.adminCommand({{setFeatureCompatibilityVersion: "{running}", confirm: true}})',
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


_AUTHENTICATION, _AUTHORIZATION = "2 Authentication", "3 Authorization"
_ENCRYPTION, _AUDITING, _OPERATION = "4 Data encryption", "5 Auditing", "6 Operating system hardening"
CHECKS: tuple[MongoCheck, ...] = (
    MongoCheck(
        "mongodb_version",
        "MongoDB past its end of life",
        "error",
        "1 Installation and patching",
        "Ensure the appropriate MongoDB software version and patches are installed",
        "version",
        _version,
    ),
    MongoCheck(
        "mongodb_feature_compatibility",
        "MongoDB that behaves as an older version",
        "info",
        "1 Installation and patching",
        "own: an upgrade is finished",
        "compatibility",
        _compatibility,
    ),
    MongoCheck(
        "mongodb_no_authentication",
        "MongoDB without a login",
        "error",
        _AUTHENTICATION,
        "Ensure authentication is configured",
        "anonymous",
        _no_authentication,
    ),
    MongoCheck(
        "mongodb_localhost_exception",
        "MongoDB's localhost exception is open",
        "warn",
        _AUTHENTICATION,
        "Ensure that MongoDB does not bypass authentication via the localhost exception",
        "users",
        _localhost_exception,
    ),
    MongoCheck(
        "mongodb_no_member_login",
        "MongoDB members without a login",
        "error",
        _AUTHENTICATION,
        "Ensure authentication is enabled in the sharded cluster and the replica set",
        "options",
        _no_member_login,
    ),
    MongoCheck(
        "mongodb_weak_mechanism",
        "MongoDB logins by SCRAM-SHA-1",
        "warn",
        _AUTHENTICATION,
        "own: logins use SCRAM-SHA-256 or a certificate",
        "users",
        _weak_mechanism,
    ),
    MongoCheck(
        "mongodb_no_address_limit",
        "MongoDB logins from any address",
        "info",
        _AUTHENTICATION,
        "own: logins come from the addresses that are meant",
        "users",
        _no_address_limit,
    ),
    MongoCheck(
        "mongodb_powerful_user",
        "MongoDB users who may do everything",
        "error",
        _AUTHORIZATION,
        "Review superuser and admin roles",
        "users",
        _powerful_users,
    ),
    MongoCheck(
        "mongodb_wide_user",
        "MongoDB users with a role on every database",
        "warn",
        _AUTHORIZATION,
        "Ensure least privilege for database accounts",
        "users",
        _wide_users,
    ),
    MongoCheck(
        "mongodb_any_resource",
        "MongoDB roles on any resource",
        "error",
        _AUTHORIZATION,
        "Review user-defined roles",
        "users",
        _any_resource,
    ),
    MongoCheck(
        "mongodb_no_tls",
        "MongoDB without TLS",
        "error",
        _ENCRYPTION,
        "Ensure TLS or SSL protects all network communications",
        "options",
        _tls,
    ),
    MongoCheck(
        "mongodb_no_audit",
        "MongoDB without an audit log",
        "info",
        _AUDITING,
        "Ensure that system activity is audited",
        "options",
        _no_audit,
    ),
    MongoCheck(
        "mongodb_values_in_log",
        "MongoDB's log shows values",
        "info",
        _AUDITING,
        "own: the log holds no personal data",
        "options",
        _values_in_log,
    ),
    MongoCheck(
        "mongodb_profiler_holds_values",
        "MongoDB's profiler keeps values",
        "info",
        _AUDITING,
        "own: the profiler keeps no values",
        "profile",
        _profiler,
    ),
    MongoCheck(
        "mongodb_listens_everywhere",
        "MongoDB listens on every address",
        "warn",
        _OPERATION,
        "Ensure that MongoDB only listens for network connections on authorized interfaces",
        "options",
        _listens_everywhere,
    ),
    MongoCheck(
        "mongodb_javascript",
        "MongoDB runs JavaScript of clients",
        "info",
        _OPERATION,
        "Ensure that server-side scripting is disabled if not needed",
        "options",
        _javascript,
    ),
)
