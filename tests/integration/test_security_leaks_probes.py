"""Probes 27 to 29: pgcrypto with a key in a setting against values that the application seals."""

from __future__ import annotations

import pytest

from workbench.areas.security.attacks.model import AttackRun
from workbench.areas.security.leaks import naive_probes, sealed_probes
from workbench.areas.security.leaks import probes as module
from workbench.engines.postgres import embedded_binaries, installed_binaries
from workbench.errors import FeatureUnavailable


def has_pgcrypto() -> bool:
    return any("pgcrypto" in each.extension_names for each in installed_binaries())


@pytest.fixture(scope="module")
def sealed() -> AttackRun:
    return sealed_probes()


def test_what_the_application_seals_withstands_every_probe(sealed: AttackRun):
    """No secret in the server's books, no value without the key provider, none that was moved or changed."""
    assert sealed.design == "hardened"
    assert sealed.not_as_declared == ()
    assert {each.number for each in sealed.attempts} == {"27", "28", "29"}
    assert len({each.key for each in sealed.attempts}) == len(sealed.attempts) == 10


def test_each_bit_of_a_sealed_value_was_changed(sealed: AttackRun):
    """The detail says how many changes were tried: 8 for each byte."""
    (changed,) = [each for each in sealed.attempts if each.name == "one bit of a value"]

    assert changed.detail.startswith("0 of ") and int(changed.detail.split()[2]) % 8 == 0
    assert int(changed.detail.split()[2]) > 500


@pytest.mark.skipif(not has_pgcrypto(), reason="needs an installed PostgreSQL with pgcrypto")
def test_pgcrypto_with_a_key_in_a_setting_fails_them():
    """The key is in five places, a reader decrypts without the function, ciphertext moves between rows."""
    naive = naive_probes()
    reached = {(each.number, each.name) for each in naive.attempts if each.observed == "reached"}

    assert naive.design == "naive"
    assert reached == {
        ("27", "secrets in settings"),
        ("27", "secrets in pg_stat_activity"),
        ("27", "secrets in pg_stat_statements"),
        ("27", "secrets in server log"),
        ("27", "secrets in write-ahead log"),
        ("28", "pgcrypto without the function"),
        ("29", "ciphertext of another row"),
        ("29", "one bit of raw encrypt()"),
        ("29", "equal values of raw encrypt()"),
    }
    assert {each.name for each in naive.attempts if each.as_declared} == {
        "the decrypting function",
        "one bit of pgp_sym_encrypt",
    }


def test_without_pgcrypto_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    """The embedded server has none: which, why, and how to get it."""
    monkeypatch.setattr(module, "installed_binaries", lambda: [])

    assert "pgcrypto" not in embedded_binaries().extension_names
    with pytest.raises(FeatureUnavailable, match=r"pgcrypto.*no OpenSSL.*WORKBENCH_POSTGRES_BIN"):
        naive_probes()
