"""TLS: that no login goes over an open connection, and that each side knows who the other is."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from workbench import sql
from workbench.areas.security.authentication.certificates import Authority, Issued
from workbench.areas.security.authentication.listening import ADDRESS, IN, Listener, listening
from workbench.areas.security.authentication.model import LoginAttempt
from workbench.engines.postgres import Binaries, default_binaries, installed_binaries
from workbench.errors import FeatureUnavailable

_HOST = "localhost"
_RULES = (
    f"hostnossl all all {ADDRESS}/32 reject",
    f"hostssl all wb_certified {ADDRESS}/32 scram-sha-256 clientcert=verify-full",
    f"hostssl all wb_app {ADDRESS}/32 scram-sha-256",
    "local all all scram-sha-256",
)


def prove_tls(*, binaries: Sequence[Binaries] | None = None) -> tuple[LoginAttempt, ...]:
    """Logins over TLS, tried on the first of *binaries* that is built with it; by default this machine's.

    Raises FeatureUnavailable where none is. Source: PostgreSQL manual, sections 18.9, 20.1 and 32.19.
    """
    candidates = binaries if binaries is not None else [default_binaries(), *installed_binaries()]
    for each in candidates:
        if not _may_have_tls(each):
            continue
        with listening(each) as listener, tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            if _library(listener):
                return tuple(_attempts(listener, Path(folder)))
    names = ", ".join(dict.fromkeys(f"PostgreSQL {each.version}, {each.origin}" for each in candidates))
    raise FeatureUnavailable(
        "TLS",
        names or "this machine",
        hint="install a PostgreSQL that is built with OpenSSL, such as the distribution's, "
        "or name its bin folder in WORKBENCH_POSTGRES_BIN",
    )


def _may_have_tls(binaries: Binaries) -> bool:
    """Whether it is worth a start: the wheel's builds say how they were configured, others may not."""
    program = binaries.folder / "pg_config"
    if not program.exists():
        return True
    said = subprocess.run([program, "--configure"], capture_output=True, text=True, check=False)
    return bool(said.returncode) or "openssl" in said.stdout


def _library(listener: Listener) -> str:
    with listener.server.session() as conn:
        row = conn.execute("select pg_catalog.current_setting('ssl_library', true)").fetchone()
    return str(row[0] or "") if row else ""


def _attempts(listener: Listener, folder: Path) -> Iterator[LoginAttempt]:
    ours, others = Authority("ours", folder), Authority("others", folder)
    for role in ("wb_app", "wb_certified"):
        listener.make_role(role)
    _tls_on(listener, ours)
    yield from _server_known(listener, ours, others)
    yield from _client_known(listener, ours, others)


def _tls_on(listener: Listener, authority: Authority) -> None:
    """The server gets its certificate, and takes no login but over TLS."""
    issued = authority.server(_HOST, ADDRESS)
    owner = listener.cluster.data.stat()
    for source, name in (
        (issued.certificate, "server.crt"),
        (issued.key, "server.key"),
        (authority.certificate, "root.crt"),
    ):
        placed = listener.cluster.data / name
        shutil.copy(source, placed)
        placed.chmod(0o600)
        if os.geteuid() != owner.st_uid:
            os.chown(placed, owner.st_uid, owner.st_gid)
    listener.execute("tls_on")
    listener.reload()  # rules about TLS are an error where there is none
    listener.use_rules(_RULES)


def _server_known(listener: Listener, ours: Authority, others: Authority) -> Iterator[LoginAttempt]:
    known = {"sslmode": "verify-full", "sslrootcert": str(ours.certificate)}
    yield listener.login("no TLS (sslmode=disable)", "28000", "wb_app")
    yield listener.login("verify-full with the server's authority", IN, "wb_app", **known)
    yield _protocol(listener, known)
    yield listener.login(
        "a server of another authority",
        "unknown authority",
        "wb_app",
        sslmode="verify-full",
        sslrootcert=str(others.certificate),
    )
    yield listener.login(
        "a server of another name", "wrong host name", "wb_app", **{**known, "host": "db.example.invalid"}
    )
    yield listener.login(
        "sslmode=require without an authority: encrypted, and whoever answers is taken for the server",
        IN,
        "wb_app",
        sslmode="require",
        sslrootcert=_absent(ours),
    )
    yield listener.login(
        "channel_binding=require: the password's proof is bound to the server's certificate",
        IN,
        "wb_app",
        channel_binding="require",
        **known,
    )
    yield listener.login(
        "no protocol newer than TLS 1.2",
        "old protocol",
        "wb_app",
        ssl_max_protocol_version="TLSv1.2",
        **known,
    )
    yield listener.login(
        "a wrong password over TLS", "28P01", "wb_app", **{**known, "password": "not the password"}
    )


def _client_known(listener: Listener, ours: Authority, others: Authority) -> Iterator[LoginAttempt]:
    known = {"sslmode": "verify-full", "sslrootcert": str(ours.certificate)}

    def certified(issued: Issued) -> dict[str, str]:
        return {**known, "sslcert": str(issued.certificate), "sslkey": str(issued.key)}

    own = certified(ours.client("wb_certified"))
    claim = "a role that needs a certificate"
    yield listener.login(f"{claim}, with its own and its password", IN, "wb_certified", **own)
    yield listener.login(
        f"{claim}, with its own and a wrong password", "28P01", "wb_certified", **{**own, "password": "wrong"}
    )
    yield listener.login(f"{claim}, without one", "28000", "wb_certified", sslcert=_absent(ours), **known)
    yield listener.login(  # the server says no more than that the login failed
        f"{claim}, with another role's", "28P01", "wb_certified", **certified(ours.client("wb_app"))
    )
    yield listener.login(
        f"{claim}, with one of another authority",
        "unknown authority",
        "wb_certified",
        **certified(others.client("wb_certified")),
    )


def _absent(authority: Authority) -> str:
    """A file that is not there: libpq would take one from the home folder."""
    return str(authority.certificate.with_name("absent"))


def _protocol(listener: Listener, known: dict[str, str]) -> LoginAttempt:
    claim = "the protocol of that connection, as the server says it"
    observed, detail, conn = listener.opened("wb_app", **known)
    if conn is not None:
        try:
            observed = sql.fetch(conn, "security/authentication/connection.sql")[0]["protocol"]
        finally:
            conn.close()
    return listener.compared(claim, "TLSv1.3", observed, detail)
