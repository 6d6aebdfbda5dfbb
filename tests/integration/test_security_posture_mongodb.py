"""The posture of a MongoDB: one without a login, one with careless users, and what a login may not ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pymongo
import pytest
from pymongo.errors import OperationFailure

from workbench.areas.security.posture import MONGODB_CHECKS, PostureReview, review_mongodb_posture
from workbench.areas.security.posture.mongodb import review_facts
from workbench.areas.security.posture.mongodb_facts import Person, ServerFacts
from workbench.engines.mongo import MongoServer, private_mongod
from workbench.engines.mongo_reading import require_read
from workbench.errors import BadInput, SourceError
from workbench.proof.findings import Finding

PASSWORD = "s3cret-of-the-test"


@pytest.fixture(scope="module")
def guarded() -> Iterator[MongoServer]:
    """A server that asks for a login, with users of every kind."""
    with private_mongod(arguments=["--profile=1"]) as (server, _), server.client() as client:
        client["shop"]["orders"].insert_one({"total": 1})
        admin = client.admin
        admin.command(
            "createRole",
            "everything",
            privileges=[{"resource": {"anyResource": True}, "actions": ["anyAction"]}],
            roles=[],
        )
        admin.command(
            "createRole", "handed on", privileges=[], roles=[{"role": "readWriteAnyDatabase", "db": "admin"}]
        )
        for name, roles, more in (
            ("second", ["root"], {}),
            ("wide", ["readWriteAnyDatabase"], {}),
            ("by way of", ["handed on"], {}),
            ("all", ["everything"], {}),
            ("old", [{"role": "read", "db": "shop"}], {"mechanisms": ["SCRAM-SHA-1"]}),
            ("app", [{"role": "readWrite", "db": "shop"}], {}),
            (
                "bound",
                [{"role": "read", "db": "shop"}],
                {"authenticationRestrictions": [{"clientSource": ["10.0.0.0/8"]}]},
            ),
        ):
            admin.command("createUser", name, pwd=PASSWORD, roles=roles, **more)
        yield server


@pytest.fixture(scope="module")
def seen(guarded: MongoServer) -> PostureReview:
    return review_mongodb_posture(guarded.url("shop"))


def found(review: PostureReview, check: str) -> dict[str, str]:
    return {each.object: each.severity for each in review.findings if each.check == check}


def states(review: PostureReview) -> dict[str, str]:
    return {each.check: each.state for each in review.controls}


def finding_of(review: PostureReview, where: str) -> Finding:
    (finding,) = [each for each in review.findings if each.object == where]
    return finding


def test_every_check_is_judged_for_an_administrator(seen: PostureReview) -> None:
    """An administrator may ask all of it; what only MongoDB Enterprise has is said to be so."""
    assert states(seen).keys() == {each.name for each in MONGODB_CHECKS}
    assert "not readable" not in states(seen).values()
    assert states(seen)["mongodb_values_in_log"] == "not applicable"
    assert "Community edition" in finding_of(seen, "server.auditLog").fix


def test_users_and_roles_that_reach_too_far_are_found(seen: PostureReview) -> None:
    """Roles on every database are found, by way of other roles too; those on one database are not."""
    assert found(seen, "mongodb_wide_user") == {
        "admin.wide.readWriteAnyDatabase": "warn",
        "admin.by way of.readWriteAnyDatabase": "warn",
    }
    assert found(seen, "mongodb_any_resource") == {"admin.everything": "error"}
    assert found(seen, "mongodb_powerful_user") == {
        "admin.second": "warn",
        "admin.wb_administrator": "warn",
    }
    assert found(seen, "mongodb_weak_mechanism") == {"admin.old": "warn"}
    (unlimited,) = [each for each in seen.findings if each.check == "mongodb_no_address_limit"]
    assert "bound" not in unlimited.fix
    assert '"app"' in unlimited.fix


def test_the_server_is_asked_without_a_login(seen: PostureReview) -> None:
    """A server that refuses who has no login passes, and listens where nobody else reaches it."""
    assert states(seen)["mongodb_no_authentication"] == "passed"
    assert states(seen)["mongodb_localhost_exception"] == "passed"
    assert states(seen)["mongodb_no_tls"] == "passed"
    assert states(seen)["mongodb_listens_everywhere"] == "passed"
    assert states(seen)["mongodb_no_member_login"] == "passed"


def test_the_profiler_is_found(seen: PostureReview) -> None:
    """A profiler that is on keeps operations with their values."""
    assert found(seen, "mongodb_profiler_holds_values") == {"shop.system.profile": "info"}


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("admin.wide.readWriteAnyDatabase", "wrote into another database"),
        ("admin.by way of.readWriteAnyDatabase", "wrote into another database"),
        ("admin.everything", "read a document of another database"),
        ("admin.second", "made another user with the role root"),
    ],
)
def test_what_a_role_allows_is_done_and_the_fix_stops_it(seen: PostureReview, where: str, words: str) -> None:
    """On a private server with the same users the deed is done, and refused once the fix has run."""
    finding = finding_of(seen, where)

    assert finding.verified, finding.unverified_because
    (evidence,) = finding.evidence
    assert words in evidence.summary
    assert "the server refused it" in evidence.summary
    assert evidence.facts == {"reached": True, "reached_after_fix": False}


def test_a_role_of_one_database_is_refused_elsewhere(guarded: MongoServer) -> None:
    """Near miss: who may write one database is refused in another, and so is who has no login."""
    with guarded.client(user="app", password=PASSWORD) as client:
        client["shop"]["orders"].insert_one({})
        with pytest.raises(OperationFailure, match="not authorized"):
            client["other"]["orders"].find_one()
    nobody = replace(guarded, user=None, password=None)
    with pymongo.MongoClient(nobody.url()) as client, pytest.raises(OperationFailure, match="requires auth"):
        client["shop"]["orders"].find_one()


def test_a_login_with_few_rights_is_told_what_would_help(guarded: MongoServer) -> None:
    """What it may not ask is said with the role that helps; once it has that, all is read."""
    url = guarded.url("shop", user="app", password=PASSWORD)
    before = review_mongodb_posture(url)
    hidden = {each.check: each for each in before.controls if each.state == "not readable"}

    assert {"mongodb_no_tls", "mongodb_wide_user", "mongodb_javascript"} <= hidden.keys()
    assert "clusterMonitor" in hidden["mongodb_no_tls"].helps
    assert "viewUser" in hidden["mongodb_wide_user"].helps
    assert found(before, "mongodb_wide_user") == {}
    with guarded.client() as client:
        client.admin.command(
            "createRole",
            "wb_viewer",
            roles=[],
            privileges=[
                {"resource": {"cluster": True}, "actions": ["viewUser"]},
                {"resource": {"db": "", "collection": ""}, "actions": ["viewUser", "viewRole"]},
            ],
        )
        client.admin.command("grantRolesToUser", "app", roles=["clusterMonitor", "wb_viewer"])
    after = review_mongodb_posture(url, prove=False)
    assert "not readable" not in states(after).values()
    assert found(after, "mongodb_any_resource") == {"admin.everything": "error"}


def test_no_password_is_shown(seen: PostureReview) -> None:
    """Neither a password nor a verifier of one stands in the review."""
    assert PASSWORD not in repr(seen)
    assert "storedKey" not in repr(seen)


def test_a_server_without_a_login_is_found_by_asking_it() -> None:
    """Who has no login lists its collections, which is the evidence; without a user there are no roles."""
    with private_mongod(auth=False, replica_set=False) as (server, _):
        with server.client() as client:
            client["shop"]["orders"].insert_one({})
        seen = review_mongodb_posture(server.url("shop"))

    assert found(seen, "mongodb_no_authentication") == {"server": "error"}
    assert finding_of(seen, "server").verified
    assert found(seen, "mongodb_localhost_exception") == {"server.enableLocalhostAuthBypass": "warn"}
    assert found(seen, "mongodb_wide_user") == {}


HARDENED = ServerFacts(
    database="shop",
    server="MongoDB 8.0.15",
    version=(8, 0, 15, 0),
    is_enterprise=True,
    login="admin.reviewer",
    in_set=True,
    anonymous=False,
    options={
        "net": {"bindIp": "localhost,10.0.0.5", "tls": {"mode": "requireTLS"}},
        "security": {
            "authorization": "enabled",
            "javascriptEnabled": False,
            "redactClientLogData": True,
            "clusterAuthMode": "x509",
        },
        "auditLog": {"destination": "file"},
    },
    parameters={"featureCompatibilityVersion": {"version": "8.0"}},
    people=(Person("admin", "admin", (("root", "admin"),), ("SCRAM-SHA-256",), True),),
    roles=(),
    profile_level=0,
)


def test_a_hardened_server_has_no_finding() -> None:
    """What the benchmark asks for passes every check."""
    seen = review_facts(HARDENED, looked_at_on="hardened")

    assert seen.findings == ()
    assert set(states(seen).values()) == {"passed"}


@pytest.mark.parametrize(
    ("change", "check", "severity"),
    [
        ({"net": {"bindIp": "10.0.0.5"}}, "mongodb_no_tls", "error"),
        ({"net": {"bindIp": "10.0.0.5", "tls": {"mode": "preferTLS"}}}, "mongodb_no_tls", "warn"),
        (
            {"net": {"tls": {"mode": "requireTLS", "allowInvalidCertificates": True}}},
            "mongodb_no_tls",
            "warn",
        ),
        ({"net": {"bindIp": "0.0.0.0", "tls": {"mode": "requireTLS"}}}, "mongodb_listens_everywhere", "info"),
        ({"security": {}}, "mongodb_no_member_login", "error"),
        ({"security": {"javascriptEnabled": True, "keyFile": "k"}}, "mongodb_javascript", "info"),
        ({"security": {"keyFile": "k"}}, "mongodb_values_in_log", "info"),
        ({"auditLog": {}}, "mongodb_no_audit", "info"),
    ],
)
def test_options_of_the_server_are_judged(change: dict[str, object], check: str, severity: str) -> None:
    """One option after the other is careless on a server that is hardened otherwise.

    The engine here cannot be started with some of them (TLS, Enterprise), so the options are given.
    """
    options = {**(HARDENED.options or {}), **change}
    seen = review_facts(replace(HARDENED, options=options), looked_at_on="careless")

    assert list(found(seen, check).values()) == [severity]


@pytest.mark.parametrize(
    ("version", "compatible", "expected"),
    [
        ((4, 4, 29), "4.4", {"mongodb_version": "error"}),
        ((8, 0, 15), "7.0", {"mongodb_feature_compatibility": "info"}),
        ((9, 9, 0), "9.9", {}),
    ],
)
def test_versions_are_judged_by_what_is_known(
    version: tuple[int, ...], compatible: str, expected: dict[str, str]
) -> None:
    """A version past its end is found, an upgrade half done too; of an unknown one nothing is said."""
    facts = replace(
        HARDENED, version=version, parameters={"featureCompatibilityVersion": {"version": compatible}}
    )
    seen = review_facts(facts, looked_at_on="here")

    assert {each.check: each.severity for each in seen.findings} == expected


def test_only_reads_are_sent() -> None:
    """What the posture asks is on the list of reads; verifiers of passwords are not asked for."""
    for command in (
        {"getCmdLineOpts": 1},
        {"getParameter": 1, "featureCompatibilityVersion": 1},
        {"usersInfo": {"forAllDBs": True}},
        {"rolesInfo": 1, "showPrivileges": True},
    ):
        require_read(command)
    for command in (
        {"usersInfo": 1, "showCredentials": True},
        {"setParameter": 1, "quiet": True},
        {"createUser": "x"},
        {"grantRolesToUser": "x", "roles": ["root"]},
        {"updateRole": "x"},
    ):
        with pytest.raises(BadInput):
            require_read(command)


def test_another_source_is_refused() -> None:
    """A source that is no MongoDB is named in one line."""
    with pytest.raises(SourceError, match="mongodb:// URL"):
        review_mongodb_posture("ecommerce")
