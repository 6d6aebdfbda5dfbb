"""SCRAM-SHA-256: who is let in by a password, how it is stored, and where it must not be found."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.authentication.listening import ADDRESS, IN, Listener, listening
from workbench.areas.security.authentication.model import LoginAttempt
from workbench.engines.postgres import Binaries

_RULES = (
    "host all wb_elsewhere 203.0.113.0/24 scram-sha-256",
    f"host all wb_elsewhere {ADDRESS}/32 reject",
    f"host all wb_app,wb_guest,wb_single,wb_nobody {ADDRESS}/32 scram-sha-256",
    "local all all scram-sha-256",
)


def prove_passwords(*, binaries: Binaries | None = None) -> tuple[LoginAttempt, ...]:
    """Logins by password, each tried over TCP. Raises EngineError where the server does not start.

    Source: PostgreSQL manual, sections 20.1, 20.5 and CREATE ROLE; RFC 7677.
    """
    with listening(binaries) as listener:
        listener.make_role("wb_app")
        listener.make_role("wb_guest", until="2000-01-01 00:00:00+00")
        listener.make_role("wb_single", connections=1)
        listener.make_role("wb_elsewhere")
        listener.make_role("wb_unnamed")
        listener.use_rules(_RULES)
        return (*_logins(listener), *_stored(listener), *_logged(listener))


def _logins(listener: Listener) -> Iterator[LoginAttempt]:
    wrong = secrets.token_urlsafe(18)
    yield listener.login("the right password", IN, "wb_app")
    yield listener.login("a wrong password", "28P01", "wb_app", password=wrong)
    yield listener.login("no password", "no password", "wb_app", password="")
    yield listener.login("a role that is not there, which is not said", "28P01", "wb_nobody", password=wrong)
    yield listener.login(
        "the stored verifier used as the password", "28P01", "wb_app", password=_verifier(listener, "wb_app")
    )
    yield listener.login("a password that has expired", "28P01", "wb_guest")
    yield _second(listener)
    yield listener.login("a role from outside of its network", "28000", "wb_elsewhere")
    yield listener.login("a role that no rule names", "28000", "wb_unnamed")
    found = listener.log.read_text(errors="replace")
    yield listener.compared("a wrong password is in the log", "no", "yes" if wrong in found else "no")


def _second(listener: Listener) -> LoginAttempt:
    """A further login while one is open, of a role that may have one."""
    claim = "a second connection of a role that may have one"
    observed, detail, first = listener.opened("wb_single")
    if first is None:
        return listener.compared(claim, "53300", observed, detail)
    try:
        return listener.login(claim, "53300", "wb_single")
    finally:
        first.close()


def _stored(listener: Listener) -> Iterator[LoginAttempt]:
    with listener.server.session() as conn:
        stored = sql.fetch(conn, "security/authentication/stored.sql")[0]
        rules = sql.fetch(conn, "security/authentication/rules.sql")[0]
    yield listener.compared(
        "passwords that are stored otherwise than as SCRAM verifiers",
        "none of some",
        f"{stored['others'] or 'none'} of {'some' if stored['passwords'] else 'none'}",
        f"{stored['passwords']} passwords are stored",
    )
    yield listener.compared(
        "rules of pg_hba.conf that let somebody in without SCRAM",
        "none of some",
        f"{rules['weak'] or 'none'} of {'some' if rules['rules'] else 'none'}",
        f"{rules['rules']} rules are in force",
    )


def _logged(listener: Listener) -> Iterator[LoginAttempt]:
    """What log_statement = ddl, a common setting, keeps of a password."""
    clear = secrets.token_urlsafe(18)
    listener.execute(
        "role_in_clear", role=composed.Identifier("wb_in_clear"), password=composed.Literal(clear)
    )
    sealed = listener.make_role("wb_by_verifier")
    found = listener.log.read_text(errors="replace")
    for claim, password, expected in (
        ("a password of CREATE ROLE … PASSWORD 'x' is in the log", clear, "yes"),
        ("a password of which the client sends the verifier is in the log", sealed, "no"),
    ):
        yield listener.compared(claim, expected, "yes" if password in found else "no")
    made = "wb_by_verifier" in found
    yield listener.compared("the statement with the verifier is in the log", "yes", "yes" if made else "no")


def _verifier(listener: Listener, role: str) -> str:
    with listener.server.session() as conn:
        row = conn.execute(
            "select a.rolpassword from pg_catalog.pg_authid a where a.rolname = %s", [role]
        ).fetchone()
    assert row is not None
    return str(row[0])
