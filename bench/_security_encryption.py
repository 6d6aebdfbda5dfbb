"""What an encrypted value costs: sealed and opened by the application, its blind index, and pgcrypto.

Microseconds a value of one core, in rounds that take turns; the medians count. pgcrypto runs in its server,
from a series without a table, so that neither the network nor a row is in its figure; ours has no row in it
either. Where no server here has pgcrypto its rows are without a figure, and say so.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.areas.security.encryption import BlindIndex, ColumnCipher, Keyring, KeyTable
from workbench.areas.security.encryption.providers import LocalFile
from workbench.areas.security.encryption.stored import OVERHEAD_BYTES
from workbench.areas.security.leaks.probes import pgcrypto_binaries
from workbench.engines.postgres import Connection, Server, private_cluster
from workbench.errors import FeatureUnavailable
from workbench.sql import read

Row = dict[str, Any]
VALUES, SLOW_VALUES, ROUNDS = 20_000, 500, 5
PEER, PEER_OPENS = "pgp_sym_encrypt", "pgp_sym_decrypt"
_MOST_OF_PEER = 0.1
_VALUE = "123-45-6789 "


def rows(
    server: Server, *, count: int = VALUES, slow_count: int = SLOW_VALUES, rounds: int = ROUNDS
) -> list[Row]:
    """The benchmark's rows."""
    with (
        tempfile.TemporaryDirectory() as folder,
        server.scratch_database(label="bench") as name,
        _pgcrypto() as (conn, missing),
    ):
        table = KeyTable(lambda: server.session(name))
        table.make()
        work = _ours(Keyring(table, LocalFile(Path(folder) / "keys.json")), count)
        if conn is not None:
            work |= _theirs(conn, slow_count)
        cost_us = _measured(work, rounds)
    return _rows(cost_us, missing)


Work = Mapping[str, tuple[Callable[[], object], int]]


def _ours(keyring: Keyring, count: int) -> dict[str, tuple[Callable[[], object], int]]:
    cipher = ColumnCipher(keyring, "public", "people", "ssn")
    padded = ColumnCipher(keyring, "public", "people", "ssn", pad_to=32)
    index = BlindIndex(keyring, "public", "people", "ssn")
    values = [(f"{_VALUE}{number}", number) for number in range(count)]
    stored = [(each, number) for number, each in enumerate(cipher.encrypt_many(values))]
    return {
        "sealed in a batch": (lambda: cipher.encrypt_many(values), count),
        "sealed one by one": (lambda: [cipher.encrypt(*each) for each in values], count),
        "sealed in a batch, padded": (lambda: padded.encrypt_many(values), count),
        "opened": (lambda: cipher.decrypt_many(stored), count),
        "blind index": (lambda: index.of_many(value for value, _ in values), count),
    }


@contextlib.contextmanager
def _pgcrypto() -> Iterator[tuple[Connection | None, str]]:
    """A connection to a server with pgcrypto, else why there is none."""
    try:
        binaries = pgcrypto_binaries()
    except FeatureUnavailable as exc:
        yield None, str(exc)
        return
    with private_cluster(binaries=binaries) as (server, _), server.session() as conn:
        conn.execute("create extension pgcrypto")
        yield conn, ""


def _theirs(conn: Connection, count: int) -> dict[str, tuple[Callable[[], object], int]]:
    given = {"value": _VALUE, "key": "k" * 32, "count": count}

    def run(name: str) -> Callable[[], object]:
        text = read(f"security/encryption/{name}.sql")
        return lambda: conn.execute(text, given).fetchall()

    return {PEER: (run("bench_pgcrypto"), count), "both": (run("bench_pgcrypto_both"), count)}


def _measured(work: Work, rounds: int) -> dict[str, float]:
    """Median µs a value, each kind of work once a round; the first round warms up."""
    elapsed: dict[str, list[float]] = {name: [] for name in work}
    names = list(work)
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            done, count = work[name]
            began = time.perf_counter()
            done()
            if turn:
                elapsed[name].append(1e6 * (time.perf_counter() - began) / count)
    return {name: statistics.median(each) for name, each in elapsed.items()}


def _rows(cost_us: Mapping[str, float], missing: str) -> list[Row]:
    encrypts = cost_us.get(PEER)
    opens = None if encrypts is None else cost_us["both"] - encrypts
    found = []
    for name in (
        "sealed in a batch",
        "sealed one by one",
        "sealed in a batch, padded",
        "opened",
        "blind index",
    ):
        peer_value = opens if name == "opened" else None if name == "blind index" else encrypts
        peer = "" if name == "blind index" else PEER_OPENS if name == "opened" else PEER
        found.append(_row(f"encryption: a value {name}", cost_us[name], "µs", peer, peer_value, missing))
    found.append(
        _row("encryption: bytes that a sealed value is longer", OVERHEAD_BYTES, "bytes", "", None, "")
    )
    return found


def _row(what: str, value: float, unit: str, peer: str, peer_value: float | None, missing: str) -> Row:
    ratio = None if peer_value is None else value / peer_value
    return {
        "benchmark": what,
        "value": round(value, 2),
        "unit": unit,
        "peer": f"{peer}: {missing}" if peer and missing else peer,
        "peer_value": None if peer_value is None else round(peer_value, 2),
        "ratio": None if ratio is None else round(ratio, 3),
        "limit": None if ratio is None else _MOST_OF_PEER,
        "ok": ratio is None or ratio <= _MOST_OF_PEER,
    }
