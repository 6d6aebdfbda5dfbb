"""The checks of a MongoDB's posture, each listed with its page in docs/checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from workbench.areas.security.posture import mongodb_options as options
from workbench.areas.security.posture import mongodb_users as users
from workbench.areas.security.posture.model import AREA
from workbench.areas.security.posture.mongodb_facts import ServerFacts
from workbench.proof.findings import Finding, Severity

Asks = Literal["anonymous", "options", "users", "profile", "version", "compatibility"]


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
        options.version,
    ),
    MongoCheck(
        "mongodb_feature_compatibility",
        "MongoDB that behaves as an older version",
        "info",
        "1 Installation and patching",
        "own: an upgrade is finished",
        "compatibility",
        options.compatibility,
    ),
    MongoCheck(
        "mongodb_no_authentication",
        "MongoDB without a login",
        "error",
        _AUTHENTICATION,
        "Ensure authentication is configured",
        "anonymous",
        options.no_authentication,
    ),
    MongoCheck(
        "mongodb_localhost_exception",
        "MongoDB's localhost exception is open",
        "warn",
        _AUTHENTICATION,
        "Ensure that MongoDB does not bypass authentication via the localhost exception",
        "users",
        users.localhost_exception,
    ),
    MongoCheck(
        "mongodb_no_member_login",
        "MongoDB members without a login",
        "error",
        _AUTHENTICATION,
        "Ensure authentication is enabled in the sharded cluster and the replica set",
        "options",
        options.no_member_login,
    ),
    MongoCheck(
        "mongodb_weak_mechanism",
        "MongoDB logins by SCRAM-SHA-1",
        "warn",
        _AUTHENTICATION,
        "own: logins use SCRAM-SHA-256 or a certificate",
        "users",
        users.weak_mechanism,
    ),
    MongoCheck(
        "mongodb_no_address_limit",
        "MongoDB logins from any address",
        "info",
        _AUTHENTICATION,
        "own: logins come from the addresses that are meant",
        "users",
        users.no_address_limit,
    ),
    MongoCheck(
        "mongodb_powerful_user",
        "MongoDB users who may do everything",
        "error",
        _AUTHORIZATION,
        "Review superuser and admin roles",
        "users",
        users.powerful_users,
    ),
    MongoCheck(
        "mongodb_wide_user",
        "MongoDB users with a role on every database",
        "warn",
        _AUTHORIZATION,
        "Ensure least privilege for database accounts",
        "users",
        users.wide_users,
    ),
    MongoCheck(
        "mongodb_any_resource",
        "MongoDB roles on any resource",
        "error",
        _AUTHORIZATION,
        "Review user-defined roles",
        "users",
        users.any_resource,
    ),
    MongoCheck(
        "mongodb_no_tls",
        "MongoDB without TLS",
        "error",
        _ENCRYPTION,
        "Ensure TLS or SSL protects all network communications",
        "options",
        options.tls,
    ),
    MongoCheck(
        "mongodb_no_audit",
        "MongoDB without an audit log",
        "info",
        _AUDITING,
        "Ensure that system activity is audited",
        "options",
        options.no_audit,
    ),
    MongoCheck(
        "mongodb_values_in_log",
        "MongoDB's log shows values",
        "info",
        _AUDITING,
        "own: the log holds no personal data",
        "options",
        options.values_in_log,
    ),
    MongoCheck(
        "mongodb_profiler_holds_values",
        "MongoDB's profiler keeps values",
        "info",
        _AUDITING,
        "own: the profiler keeps no values",
        "profile",
        options.profiler,
    ),
    MongoCheck(
        "mongodb_listens_everywhere",
        "MongoDB listens on every address",
        "warn",
        _OPERATION,
        "Ensure that MongoDB only listens for network connections on authorized interfaces",
        "options",
        options.listens_everywhere,
    ),
    MongoCheck(
        "mongodb_javascript",
        "MongoDB runs JavaScript of clients",
        "info",
        _OPERATION,
        "Ensure that server-side scripting is disabled if not needed",
        "options",
        options.javascript,
    ),
)
