"""The benchmark of encrypted values: its rows, not its times."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from workbench.engines.postgres import Server, installed_binaries
from workbench.errors import FeatureUnavailable

BENCH = Path(__file__).parents[2] / "bench" / "_security_encryption.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_security_encryption", BENCH)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(
    not any("pgcrypto" in each.extension_names for each in installed_binaries()),
    reason="needs an installed PostgreSQL with pgcrypto",
)
def test_each_value_has_its_peer_of_the_same_run(bench: ModuleType, server: Server):
    """Sealing against pgp_sym_encrypt, opening against pgp_sym_decrypt, with a limit of a tenth."""
    rows = bench.rows(server, count=300, slow_count=30, rounds=1)

    peers = {row["benchmark"]: row["peer"] for row in rows if row["peer"]}
    assert sorted(set(peers.values())) == ["pgp_sym_decrypt", "pgp_sym_encrypt"] and len(peers) == 4
    assert all(row["value"] > 0 and isinstance(row["ok"], bool) for row in rows)
    assert all(row["limit"] == 0.1 for row in rows if row["peer"])


def test_without_pgcrypto_the_peer_says_why(
    bench: ModuleType, server: Server, monkeypatch: pytest.MonkeyPatch
):
    """No figure, no limit, and how to get one."""

    def lacking() -> None:
        raise FeatureUnavailable("pgcrypto", "this machine", hint="install it")

    monkeypatch.setattr(bench, "pgcrypto_binaries", lacking)
    rows = bench.rows(server, count=100, rounds=1)

    assert [row["peer_value"] for row in rows] == [None] * len(rows)
    assert sum("install it" in row["peer"] for row in rows) == 4 and all(row["ok"] for row in rows)
