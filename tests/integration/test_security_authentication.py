"""Logins over TCP on servers of their own: who is let in, over what, and what the log keeps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from psycopg2 import sql as composed

from workbench.areas.security.authentication import (
    Authentication,
    LoginAttempt,
    prove_authentication,
    prove_tls,
)
from workbench.areas.security.authentication.certificates import Authority
from workbench.areas.security.authentication.listening import IN, Listener, listening
from workbench.engines.postgres import embedded_binaries
from workbench.errors import EngineError, FeatureUnavailable


@pytest.fixture(scope="module")
def proved() -> Authentication:
    return prove_authentication()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found


def attempt(proved: Authentication, claim: str) -> LoginAttempt:
    return next(each for each in proved.attempts if each.claim == claim)


def test_every_login_ends_as_declared(proved: Authentication) -> None:
    """Each claim about passwords, and about TLS where a build has it, is seen on a real server."""
    assert [each for each in proved.attempts if not each.as_declared] == []
    assert proved.totals["run"] == proved.totals["as_declared"] >= 15


def test_refusals_are_the_servers_own(proved: Authentication) -> None:
    """A wrong or expired password, a second connection and a wrong network are refused each its own way."""
    assert attempt(proved, "a wrong password").observed == "28P01"
    assert attempt(proved, "a password that has expired").observed == "28P01"
    assert attempt(proved, "a second connection of a role that may have one").observed == "53300"
    assert attempt(proved, "a role from outside of its network").observed == "28000"


def test_log_keeps_a_password_that_was_sent_in_clear(proved: Authentication) -> None:
    """CREATE ROLE … PASSWORD leaves the password in the log; the verifier computed by the client does not."""
    assert attempt(proved, "a password of CREATE ROLE … PASSWORD 'x' is in the log").observed == "yes"
    sealed = attempt(proved, "a password of which the client sends the verifier is in the log")
    assert sealed.observed == "no"


def test_tls_is_proved_on_a_build_that_has_it(proved: Authentication) -> None:
    """Both sides are authenticated over TLS 1.3, and nothing is taken without it."""
    if proved.left_out:
        pytest.skip(proved.left_out[0])
    assert attempt(proved, "no TLS (sslmode=disable)").observed == "28000"
    assert attempt(proved, "the protocol of that connection, as the server says it").observed == "TLSv1.3"
    assert attempt(proved, "a server of another name").observed == "wrong host name"


def test_a_build_without_tls_is_named() -> None:
    """Where no build has TLS the error says which were asked and how to get one."""
    with pytest.raises(
        FeatureUnavailable, match=r"TLS is not available on PostgreSQL .*WORKBENCH_POSTGRES_BIN"
    ):
        prove_tls(binaries=[embedded_binaries()])


def test_no_build_at_all_is_named() -> None:
    """Without any PostgreSQL to ask the same error says so."""
    with pytest.raises(FeatureUnavailable, match="TLS is not available on this machine"):
        prove_tls(binaries=[])


def test_an_attempt_can_fail(listener: Listener) -> None:
    """Under a rule that lets everybody in, the claim that a wrong password is refused is not as declared."""
    listener.make_role("wb_careless")
    listener.use_rules(["host all wb_careless 127.0.0.1/32 trust", "local all all scram-sha-256"])
    careless = listener.login("a wrong password", "28P01", "wb_careless", password="wrong")
    assert (careless.observed, careless.as_declared) == (IN, False)

    listener.use_rules(["host all wb_careless 127.0.0.1/32 scram-sha-256", "local all all scram-sha-256"])
    assert listener.login("a wrong password", "28P01", "wb_careless", password="wrong").as_declared
    assert listener.login("the right password", IN, "wb_careless").as_declared


def test_names_with_quotes_can_log_in(listener: Listener) -> None:
    """A role's name may hold quotes, capitals and spaces: its verifier is for that name."""
    role = "Od\"d rö'le"
    listener.make_role(role)
    listener.use_rules(["host all all 127.0.0.1/32 scram-sha-256", "local all all scram-sha-256"])
    assert listener.login("an odd name", IN, role).as_declared
    assert listener.login("an odd name", "28P01", role, password="wrong").as_declared


def test_our_own_environment_lets_nobody_in(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in PGPASSWORD is not taken for the one that an attempt did not give."""
    password = listener.make_role("wb_environment")
    listener.use_rules(["host all all 127.0.0.1/32 scram-sha-256", "local all all scram-sha-256"])
    monkeypatch.setenv("PGPASSWORD", password)
    assert listener.login("no password", "no password", "wb_environment", password="").as_declared
    assert os.environ["PGPASSWORD"] == password


def test_a_rule_in_error_is_named(listener: Listener) -> None:
    """A line of pg_hba.conf that the server cannot read is an error, not a rule that is left out."""
    with pytest.raises(EngineError, match="invalid authentication method"):
        listener.use_rules(["host all all 127.0.0.1/32 tryst", "local all all scram-sha-256"])


def test_a_verifier_is_no_password_in_the_log(listener: Listener) -> None:
    """What was made from a verifier is in the log as a verifier."""
    password = listener.make_role("wb_logged")
    found = listener.log.read_text(errors="replace")
    assert "wb_logged" in found and password not in found
    listener.execute(
        "role_in_clear", role=composed.Identifier("wb_open"), password=composed.Literal("in-clear-1")
    )
    assert "in-clear-1" in listener.log.read_text(errors="replace")


def test_certificates_are_for_their_names_and_their_keys_are_their_owners_alone(tmp_path: Path) -> None:
    """A server's certificate names host and address, a client's the role; a key may be read by one user."""
    authority = Authority("ours", tmp_path)
    issued = authority.server("localhost", "127.0.0.1")
    certificate = x509.load_pem_x509_certificate(issued.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert issued.key.stat().st_mode & 0o777 == 0o600
    signer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    certificate.verify_directly_issued_by(signer)
    with pytest.raises((ValueError, InvalidSignature)):
        certificate.verify_directly_issued_by(
            x509.load_pem_x509_certificate(Authority("others", tmp_path).certificate.read_bytes())
        )
