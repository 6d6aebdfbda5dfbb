"""What a MongoDB was started with, and what it answers, amount to: a function a check."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any

from workbench.areas.security.posture.model import AREA
from workbench.areas.security.posture.mongodb_facts import ServerFacts
from workbench.proof.findings import Finding

_LAST_DAYS: Mapping[tuple[int, ...], dt.date] = {
    (4, 4): dt.date(2024, 2, 29),
    (5, 0): dt.date(2024, 10, 31),
    (6, 0): dt.date(2025, 7, 31),
    (7, 0): dt.date(2027, 8, 31),
    (8, 0): dt.date(2029, 10, 31),
}


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


def no_authentication(facts: ServerFacts) -> Iterator[Finding]:
    if facts.anonymous:
        yield Finding(
            AREA,
            "mongodb_no_authentication",
            "error",
            "server",
            "the server answers who has no login",
            "Whoever reaches its port reads, changes and drops every database. Source: CIS MongoDB "
            "Benchmark, section 2, Authentication; MongoDB manual, Enable Access Control.",
            "# first make an administrator: db.getSiblingDB('admin').createUser({...})\n"
            "# mongod.conf, then restart\nsecurity:\n  authorization: enabled",
        )


def listens_everywhere(facts: ServerFacts) -> Iterator[Finding]:
    shown = str(option(facts, "net.bindIp") or "")
    if option(facts, "net.bindIpAll") or {"0.0.0.0", "::", "*"} & {each.strip() for each in shown.split(",")}:  # noqa: S104 - it is looked for
        yield Finding(
            AREA,
            "mongodb_listens_everywhere",
            "warn" if facts.anonymous else "info",
            "server.net.bindIp",
            "the server listens on every address of the machine",
            "An address that is added later is open without a decision. In a container, whose network is "
            "closed by its platform, this is usual. Source: CIS MongoDB Benchmark, section 6; MongoDB "
            "manual, IP Binding.",
            "# mongod.conf, then restart\nnet:\n  bindIp: localhost,the address that programs use",
        )


def tls(facts: ServerFacts) -> Iterator[Finding]:
    mode = str(option(facts, "net.tls.mode") or option(facts, "net.ssl.mode") or "disabled")
    if mode not in ("requireTLS", "requireSSL") and not is_local(facts):
        yield Finding(
            AREA,
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
            yield Finding(
                AREA,
                "mongodb_no_tls",
                "warn",
                f"server.net.tls.{name}",
                f"net.tls.{name} is set",
                "The server takes a certificate of anybody: whoever is on the way can stand in between. "
                "Source: MongoDB manual, net.tls Options.",
                f"# mongod.conf, then restart\nnet:\n  tls:\n    {name}: false",
            )


def no_audit(facts: ServerFacts) -> Iterator[Finding]:
    if not option(facts, "auditLog.destination"):
        how = (
            "# mongod.conf, then restart\nauditLog:\n  destination: file\n  format: BSON\n  path: …"
            if facts.is_enterprise
            else "# this server is of the Community edition, which has no audit log: MongoDB Enterprise and "
            "Atlas have\nnull"
        )
        yield Finding(
            AREA,
            "mongodb_no_audit",
            "info",
            "server.auditLog",
            "the server keeps no audit log",
            "Who changed users, roles or collections cannot be told afterwards. Source: CIS MongoDB "
            "Benchmark, section 5, Auditing; MongoDB manual, Auditing (Enterprise).",
            how,
        )


def javascript(facts: ServerFacts) -> Iterator[Finding]:
    if option(facts, "security.javascriptEnabled") is not False:
        yield Finding(
            AREA,
            "mongodb_javascript",
            "info",
            "server.security.javascriptEnabled",
            "the server runs JavaScript that clients send",
            "$where, $function and mapReduce run it: an injection into a query becomes code. Source: CIS "
            "MongoDB Benchmark, section 6; MongoDB manual, Security Checklist.",
            "# mongod.conf, then restart; where nothing uses $where, $function, $accumulator and mapReduce\n"
            "security:\n  javascriptEnabled: false",
        )


def no_member_login(facts: ServerFacts) -> Iterator[Finding]:
    has_login = option(facts, "security.keyFile") or option(facts, "security.clusterAuthMode")
    if facts.in_set and not has_login:
        yield Finding(
            AREA,
            "mongodb_no_member_login",
            "error",
            "server.security.keyFile",
            "members of the cluster do not prove to one another who they are",
            "Any server that reaches a member may join it as one and has all data. Source: CIS MongoDB "
            "Benchmark, section 2; MongoDB manual, Internal/Membership Authentication.",
            "# mongod.conf of every member, then restart one after the other\n"
            "security:\n  clusterAuthMode: x509",
        )


def values_in_log(facts: ServerFacts) -> Iterator[Finding]:
    if facts.is_enterprise and not option(facts, "security.redactClientLogData"):
        yield Finding(
            AREA,
            "mongodb_values_in_log",
            "info",
            "server.security.redactClientLogData",
            "the log shows the values of slow operations",
            "Personal data of a query stand in the log. Source: MongoDB manual, Log Redaction (Enterprise).",
            "# mongod.conf, then restart\nsecurity:\n  redactClientLogData: true",
        )


def profiler(facts: ServerFacts) -> Iterator[Finding]:
    if facts.profile_level:
        yield Finding(
            AREA,
            "mongodb_profiler_holds_values",
            "info",
            f"{facts.database}.system.profile",
            f"the profiler is at level {facts.profile_level} and keeps operations with their values",
            "Whoever may read system.profile reads values of documents that he may not read. Source: MongoDB "
            "manual, Database Profiler.",
            f"db.getSiblingDB({json.dumps(facts.database)}).setProfilingLevel(0)",
        )


def version(facts: ServerFacts) -> Iterator[Finding]:
    last = _LAST_DAYS.get(facts.version[:2])
    if last and last < dt.datetime.now(dt.UTC).date():
        yield Finding(
            AREA,
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


def compatibility(facts: ServerFacts) -> Iterator[Finding]:
    shown = facts.parameters.get("featureCompatibilityVersion", {}).get("version")
    running = ".".join(map(str, facts.version[:2]))
    if shown and shown != running:
        yield Finding(
            AREA,
            "mongodb_feature_compatibility",
            "info",
            "server.featureCompatibilityVersion",
            f"the server runs {running} and behaves as {shown}",
            "An upgrade was not finished, and the next cannot be begun. Source: MongoDB manual, "
            "setFeatureCompatibilityVersion.",
            f'db.adminCommand({{setFeatureCompatibilityVersion: "{running}", confirm: true}})',
        )
