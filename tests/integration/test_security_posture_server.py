"""The checks of a whole server: a careless one, a hardened one, an older one, and a role without rights."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pglast import parser

from workbench import sql
from workbench.areas.security.posture import PostureReview, review_connection, review_posture
from workbench.engines.postgres import Cluster, Connection, Server, installed_binaries, private_cluster
from workbench.proof.findings import Finding
from workbench.source import Options, open_source

SECRET = "hunter2-" + secrets.token_hex(8)
CARELESS = {
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "debug_print_plan": "on",
    "logging_collector": "on",
    "log_file_mode": "0644",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
    "log_hostname": "on",
    "log_statement": "all",
    "log_line_prefix": "%m ",
    "password_encryption": "md5",
    "listen_addresses": "*",
    "row_security": "off",
    "lo_compat_privileges": "on",
    "authentication_timeout": "5min",
    "wal_level": "replica",
    "max_wal_senders": "4",
}
CARELESS_HBA = [
    "local all all trust",
    "host all all 127.0.0.1/32 scram-sha-256",
    "host all all samenet trust",
    "host app app 10.1.0.0/16 md5",
    "host all app 10.1.0.0/16 password",
    "host all app 0.0.0.0/0 reject",
    "host app app all scram-sha-256",
    "host replication all 10.3.0.0/16 scram-sha-256",
    "local app app peer map=staff",
]
HARDENED = {
    "logging_collector": "on",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_line_prefix": "%m [%p]: db=%d,user=%u,app=%a,client=%h ",
    "log_statement": "ddl",
    "log_replication_commands": "on",
    "log_parameter_max_length": "0",
    "statement_timeout": "10min",
    "idle_in_transaction_session_timeout": "5min",
    "shared_preload_libraries": "auth_delay,passwordcheck",
}
CARELESS_ROLES = f"""
  create role app login password 'long-enough-42';
  create role admin2 superuser;
  create role sees_all login bypassrls connection limit 3;
  create role reads_files login connection limit 3;
  grant pg_read_server_files to reads_files;
  create role monitoring login connection limit 3;
  grant pg_monitor to monitoring;
  create role hands_on login connection limit 3;
  create role "Group of <b>";
  grant "Group of <b>" to hands_on with admin option;
  create role owner_app login connection limit 3;
  create role plain nologin;
  alter role app set app.encryption_key = '{SECRET}';
  alter role app set app.token_lifetime = '900';
  alter role app set session_preload_libraries = 'auto_explain';
  alter role app set search_path = open, public;
  grant set on parameter session_replication_role to plain;
  create database app;
"""
CARELESS_DATABASE = f"""
  create schema open;
  grant create on schema open to public;
  create schema owned authorization owner_app;
  create table owned.t (id int);
  alter table owned.t owner to owner_app;
  create extension postgres_fdw;
  create server other foreign data wrapper postgres_fdw;
  create user mapping for public server other options (user 'x', password '{SECRET}');
  create user mapping for app server other options (user 'x');
  create subscription sub connection 'host=/nowhere password={SECRET} dbname=x' publication p
    with (connect = false);
  select pg_create_physical_replication_slot('forgotten', true);
  select pg_create_physical_replication_slot('not_reserved', false);
"""


@pytest.fixture(scope="module")
def careless() -> Iterator[Server]:
    with private_cluster(settings=CARELESS, hba=CARELESS_HBA) as (server, _):
        with server.session() as conn:
            for statement in CARELESS_ROLES.split(";\n"):
                conn.execute(statement or "select 1")
        with server.session("app") as conn:
            for statement in CARELESS_DATABASE.split(";\n"):
                conn.execute(statement if statement.strip() else "select 1")
        yield server


@pytest.fixture(scope="module")
def seen(careless: Server) -> PostureReview:
    with careless.session("app") as conn:
        return review_connection(conn, looked_at_on="careless", with_server=True)


def objects(review: PostureReview, check: str) -> dict[str, str]:
    """What *check* found, with its severity."""
    return {each.object: each.severity for each in review.findings if each.check == check}


def run_fix(conn: Connection, finding: Finding) -> None:
    """The statements of the fix one by one, for ALTER SYSTEM goes into no transaction."""
    for part in parser.split(finding.fix):
        conn.execute(part)


def state(review: PostureReview, check: str) -> str:
    (control,) = [each for each in review.controls if each.check == check]
    return control.state


def test_every_check_runs_on_the_engine(seen: PostureReview) -> None:
    """A superuser of the newest version can read all of them: none is refused by the server."""
    assert {each.state for each in seen.controls} == {"passed", "failed", "not checkable"}


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("log_connections", {"server.log_connections": "info", "server.log_disconnections": "info"}),
        ("log_line_prefix", {"server.log_line_prefix": "info"}),
        ("log_messages", {"server.log_min_messages": "warn", "server.log_min_error_statement": "warn"}),
        ("log_verbosity", {"server.log_error_verbosity": "info"}),
        ("debug_output", {"server.debug_print_plan": "warn"}),
        ("log_permissions", {"server.log_file_mode": "warn"}),
        ("log_rotation", {"server.log_rotation_age": "info"}),
        ("log_hostname", {"server.log_hostname": "info"}),
        ("values_in_log", {"server.log_parameter_max_length": "info"}),
        ("no_pgaudit", {"server.pgaudit": "info"}),
        ("superuser", {"admin2": "warn"}),
        ("elevated_role", {"sees_all": "warn"}),
        ("server_role_member", {"reads_files.pg_read_server_files": "error"}),
        ("admin_option", {'hands_on."Group of <b>"': "info"}),
        ("weak_verifier", {"app": "warn"}),
        ("password_never_expires", {"app": "info"}),
        ("no_connection_limit", {"server.roles": "info"}),
        ("secret_in_setting", {"all databases.app.app.encryption_key": "error"}),
        ("secret_in_mapping", {"other.public": "warn"}),
        ("secret_in_subscription", {"sub": "info"}),
        ("owner_can_log_in", {"owner_app": "info"}),
        ("public_connect", {"app": "info"}),
        ("parameter_granted", {"session_replication_role.plain": "warn"}),
        ("hba_trust", {"pg_hba.conf:1": "warn", "pg_hba.conf:3": "error"}),
        ("hba_weak_method", {"pg_hba.conf:4": "warn", "pg_hba.conf:5": "error"}),
        ("hba_open_address", {"pg_hba.conf:7": "warn"}),
        (
            "hba_without_tls",
            {f"pg_hba.conf:{line}": "warn" for line in (3, 4, 5, 7, 8)},
        ),
        ("hba_superuser", {"pg_hba.conf:3": "info", "pg_hba.conf:8": "info"}),
        ("hba_replication", {"pg_hba.conf:8": "warn"}),
        ("hba_error", {}),
        ("hba_map", {"pg_hba.conf:9": "info"}),
        ("password_encryption", {"server.password_encryption": "error"}),
        ("tls_off", {"server.ssl": "error"}),
        ("tls_old_version", {}),
        ("tls_weak_ciphers", {}),
        ("listens_everywhere", {"server.listen_addresses": "info"}),
        (
            "dangerous_setting",
            {
                "server.fsync": "warn",
                "server.full_page_writes": "warn",
                "server.row_security": "warn",
                "server.lo_compat_privileges": "error",
            },
        ),
        (
            "no_timeout",
            {
                f"server.{name}": "info"
                for name in (
                    "statement_timeout",
                    "idle_in_transaction_session_timeout",
                    "authentication_timeout",
                )
            },
        ),
        ("preloaded_library", {"all databases.app.session_preload_libraries": "warn"}),
        ("search_path_setting", {"all databases.app.open": "warn"}),
        ("no_password_check", {"server.auth_delay": "info", "server.passwordcheck": "info"}),
        ("no_replication_log", {"server.log_replication_commands": "info"}),
        ("idle_slot", {"forgotten": "warn"}),
        ("session_without_tls", {}),
        ("no_checksums", {}),
        ("untrusted_language", {}),
        ("version", {}),
    ],
)
def test_check_of_a_careless_server(seen: PostureReview, check: str, expected: dict[str, str]) -> None:
    """Each check finds what is careless on the server, and nothing beside it."""
    assert objects(seen, check) == expected


def test_no_secret_is_shown(seen: PostureReview) -> None:
    """Where a secret lies is said; the secret stands in no finding and no control."""
    assert SECRET not in repr(seen)


def test_a_role_without_rights_is_told_what_would_help(careless: Server) -> None:
    """What it may not read is said with the grants; once they are made, all of it is read."""
    with careless.session("app") as conn:
        conn.execute("create role visitor login")
    with careless.session("app", user="visitor") as conn:
        before = review_connection(conn, looked_at_on="careless", with_server=True)
    hidden = {each.check: each for each in before.controls if each.state == "not readable"}

    assert {"hba_trust", "weak_verifier", "log_permissions", "secret_in_mapping"} <= hidden.keys()
    assert {"superuser", "log_connections", "public_create"}.isdisjoint(hidden)
    assert objects(before, "hba_trust") == {}
    with careless.session("app") as conn:
        for statement in {each.helps for each in hidden.values()}:
            conn.execute(statement)
    with careless.session("app", user="visitor") as conn:
        after = review_connection(conn, looked_at_on="careless", with_server=True)
    assert "not readable" not in {each.state for each in after.controls}
    assert objects(after, "hba_trust") == {"pg_hba.conf:1": "warn", "pg_hba.conf:3": "error"}


def test_the_fix_of_a_setting_ends_its_finding(careless: Server) -> None:
    """What is fixed by ALTER SYSTEM and a reload, or on a role, is found no more."""
    with careless.session("app") as conn:
        before = review_connection(conn, looked_at_on="careless", with_server=True)
        fixed = [
            each
            for each in before.findings
            if each.check
            in (
                "log_connections", "log_messages", "log_verbosity", "debug_output", "log_hostname",
                "values_in_log", "no_timeout", "elevated_role", "server_role_member", "admin_option",
                "parameter_granted", "secret_in_setting", "preloaded_library", "search_path_setting",
                "no_connection_limit", "password_never_expires", "public_connect", "superuser",
                "secret_in_mapping", "no_replication_log", "password_encryption", "idle_slot",
                "log_line_prefix", "lo_compat_privileges",
            )
        ]  # fmt: skip
        for finding in fixed:
            run_fix(conn, finding)
    _await_reload(careless, "log_error_verbosity", "default")
    with careless.session("app") as conn:
        after = review_connection(conn, looked_at_on="careless", with_server=True)
        assert {each.id for each in fixed} & {each.id for each in after.findings} == set()
        conn.execute("alter system reset all")
        conn.execute("select pg_reload_conf()")


def _await_reload(server: Server, name: str, value: str) -> None:
    """Until a new session has *value*: the server reads its files a moment after it was told to."""
    deadline = dt.datetime.now() + dt.timedelta(seconds=20)
    while dt.datetime.now() < deadline:
        with server.session() as conn:
            row = conn.execute("select current_setting(%s)", [name]).fetchone()
            if row and row[0] == value:
                return
    raise AssertionError(f"{name} did not become {value}")


def test_a_session_over_the_network_without_tls_is_seen(careless: Server) -> None:
    """Who is connected in clear is named with the address; over the loopback it is nobody's business."""
    with careless.session("app") as conn:
        conn.execute("select 1")
    address = _own_address()
    with _tcp(careless, address), careless.session("app") as conn:
        seen = review_connection(conn, looked_at_on="careless", with_server=True)
    assert objects(seen, "session_without_tls") == {f"wb_superuser.{address}": "warn"}


def _own_address() -> str:
    """An address of this machine that is not the loopback's; none is reached for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but the loopback's")
        address = str(probe.getsockname()[0])
    if address.startswith("127."):
        pytest.skip("this machine has no address but the loopback's")
    return address


@contextlib.contextmanager
def _tcp(server: Server, address: str) -> Iterator[None]:
    info = {**server.conninfo("app"), "host": address}
    with contextlib.closing(psycopg2.connect(**info, connect_timeout=10)):
        yield


@pytest.fixture(scope="module")
def hardened() -> Iterator[Connection]:
    """PostgreSQL's own defaults and what the CIS benchmark asks for; the administrator has a password."""
    with private_cluster(settings=HARDENED, durable=True) as (server, cluster):
        password = secrets.token_urlsafe(24) + "-1"
        with server.session() as conn:
            conn.execute("alter role wb_superuser password %s valid until '2099-01-01'", [password])
            (cluster.data / "pg_hba.conf").write_text("local all all scram-sha-256\n")
            conn.execute("select pg_reload_conf()")
        with replace(server, password=password).session() as conn:
            yield conn


def test_a_hardened_server_has_no_finding_above_info(hardened: Connection) -> None:
    """What is done well is passed, and what is a matter of opinion is no more than told."""
    seen = review_connection(hardened, looked_at_on="hardened", with_server=True)

    assert {(each.check, each.object) for each in seen.findings if each.severity != "info"} == set()
    for check in ("hba_trust", "log_statement", "no_timeout", "no_password_check", "weak_verifier"):
        assert state(seen, check) == "passed"
    assert "not readable" not in {each.state for each in seen.controls}


def test_a_file_is_judged_by_its_database_alone(server: Server, tmp_path: Path) -> None:
    """Of a file the engine is ours: no control of the server is reported, passed or failed."""
    file = tmp_path / "schema.sql"
    file.write_text("""
        create table t (id int);
        grant select on t to public;
        create function f() returns bigint language sql security definer as 'select count(*) from t';
    """)
    with open_source(str(file), server, Options()) as opened:
        seen = review_posture(opened)

    assert {each.scope for each in seen.controls} == {"database"}
    assert sorted(each.check for each in seen.findings) == [
        "definer_search_path",
        "public_definer_function",
        "public_table",
    ]


def test_the_example_has_no_finding(server: Server) -> None:
    """The e-commerce example has neither functions of its owner's rights nor grants to everybody."""
    with open_source("ecommerce", server, Options(scale=0.01)) as opened:
        assert review_posture(opened).findings == ()


def test_a_named_database_is_only_read(careless: Server) -> None:
    """The review of a named database runs in read-only transactions, and looks at its server too."""
    with open_source(careless.url("app"), careless, Options()) as opened:
        seen = review_posture(opened)

        assert opened.read_only
        assert objects(seen, "hba_trust")
        assert {each.scope for each in seen.controls} == {"server", "database"}


OLDER = [each for each in installed_binaries() if 13 <= each.major < 18]


@pytest.mark.skipif(not OLDER, reason="no older PostgreSQL is installed here")
def test_an_older_server_is_read_and_its_tls_judged(tmp_path: Path) -> None:
    """Every check runs on an older version; TLS of an old version and with weak ciphers is found there."""
    with private_cluster(binaries=OLDER[0], durable=True) as (server, cluster):
        with server.session() as conn:
            plain = review_connection(conn, looked_at_on="older", with_server=True)
            _make_certificate(cluster)
            conn.execute("alter system set ssl = on")
            conn.execute("alter system set ssl_min_protocol_version = 'TLSv1'")
            conn.execute("alter system set ssl_ciphers = 'HIGH:!aNULL:RC4'")
            conn.execute("select pg_reload_conf()")
        _await_reload(server, "ssl", "on")
        with server.session() as conn:
            with_tls = review_connection(conn, looked_at_on="older", with_server=True)
            fixes = [each for each in with_tls.findings if each.check.startswith("tls_")]
            for finding in fixes:
                run_fix(conn, finding)
        _await_reload(server, "ssl_min_protocol_version", "TLSv1.2")
        with server.session() as conn:
            fixed = review_connection(conn, looked_at_on="older", with_server=True)

    assert "not readable" not in {each.state for each in plain.controls}
    assert objects(plain, "tls_off") == {}  # it listens on a socket alone
    assert objects(plain, "log_destination") == {"server": "info"}
    assert objects(plain, "log_statement") == {"server.log_statement": "info"}
    assert objects(plain, "no_wal_archive") == {"server.archive_mode": "info"}
    assert objects(plain, "no_checksums") == {"server.data_checksums": "info"}
    assert state(plain, "parameter_granted") == ("passed" if OLDER[0].major >= 15 else "not applicable")
    assert objects(with_tls, "tls_old_version") == {"server.ssl_min_protocol_version": "error"}
    assert objects(with_tls, "tls_weak_ciphers") == {"server.ssl_ciphers": "warn"}
    assert [each for each in fixed.findings if each.check.startswith("tls_")] == []


def _make_certificate(cluster: Cluster) -> None:
    """A certificate of its own signature in the data folder, the key readable by the server alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    texts = {
        "server.crt": certificate.public_bytes(serialization.Encoding.PEM),
        "server.key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    }
    for file, text in texts.items():
        path = cluster.data / file
        path.write_bytes(text)
        path.chmod(0o600)
        if os.geteuid() != cluster.user.uid:
            os.chown(path, cluster.user.uid, cluster.user.gid)


def test_a_line_that_the_server_does_not_understand_is_found(careless: Server) -> None:
    """A wrong line of pg_hba.conf is named while the rules before it are still in force."""
    with careless.session() as conn:
        row = conn.execute("select current_setting('hba_file')").fetchone()
        assert row
        file = Path(row[0])
        before = file.read_text()
        file.write_text(before + "local all all no_such_method\n")
        try:
            seen = review_connection(conn, looked_at_on="careless", with_server=True)
        finally:
            file.write_text(before)

    assert objects(seen, "hba_error") == {f"pg_hba.conf:{len(CARELESS_HBA) + 1}": "error"}


@pytest.mark.parametrize(
    ("known", "severity"), [("(18, date '2000-01-01', 6)", "error"), ("(18, date '2999-01-01', 99)", "warn")]
)
def test_a_version_that_ended_or_lacks_corrections_is_found(
    hardened: Connection, known: str, severity: str
) -> None:
    """The check tells a version past its end from one whose newest minor is not installed."""
    text = sql.read("security/posture/checks/0081_version.sql")
    assert "(18, date '2030-11-14', 6)" in text
    rows = hardened.execute(text.replace("(18, date '2030-11-14', 6)", known), {}).fetchall()

    assert [(row[0], row[1]) for row in rows] == [("version", severity)]
