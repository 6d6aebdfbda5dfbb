"""The catalog of 1,000 tables, 8,000 columns and 2,000 foreign keys: time and memory, beside SQLAlchemy's.

Each figure is taken in a process of its own, the two programs in turn, and is the median of the rounds. The
time is that of the reading alone (the connection is open); the memory is the process's highest, with
everything it imported. Run it as ``python bench/catalog.py`` or ``workbench bench catalog``; the exit status
is 1 where a limit is broken.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from workbench.engines.postgres import Server, engine

LIMIT_SECONDS = 3.0
LIMIT_MB = 300.0
ROUNDS = 3
TABLES, COLUMNS, FOREIGN_KEYS = 1_000, 8_000, 2_000
PEER = "SQLAlchemy MetaData.reflect"


def run(server: Server) -> list[dict[str, Any]]:
    """The benchmark's rows: benchmark, value, unit, peer, peer_value, ratio (to the peer), limit, ok."""
    with server.scratch_database(label="bench") as name:
        with server.session(name) as conn:
            conn.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
            conn.execute("analyze")
        rounds = [
            (_measured("workbench", server, name), _measured("peer", server, name)) for _ in range(ROUNDS)
        ]
    ours, peers = zip(*rounds, strict=True)
    return [
        _row("catalog of 1,000 tables, time", "s", "seconds", ours, peers, LIMIT_SECONDS),
        _row("catalog of 1,000 tables, peak memory", "MB", "peak_mb", ours, peers, LIMIT_MB),
    ]


def _row(
    benchmark: str,
    unit: str,
    figure: str,
    ours: tuple[dict[str, float], ...],
    peers: tuple[dict[str, float], ...],
    limit: float,
) -> dict[str, Any]:
    value = median(measured[figure] for measured in ours)
    peer_value = median(measured[figure] for measured in peers)
    return {
        "benchmark": benchmark,
        "value": round(value, 3),
        "unit": unit,
        "peer": PEER,
        "peer_value": round(peer_value, 3),
        "ratio": round(value / peer_value, 2),
        "limit": limit,
        "ok": value <= limit,
    }


def _measured(program: str, server: Server, dbname: str) -> dict[str, float]:
    """What a fresh process measured; the URL goes by its standard input, for it may hold a password."""
    done = subprocess.run(
        [sys.executable, __file__, program],
        input=server.url(dbname),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the measurement of {program} failed: {done.stderr.strip()}")
    facts: dict[str, float] = json.loads(done.stdout)
    counted = facts["tables"], facts["columns"], facts["foreign_keys"]
    if counted != (TABLES, COLUMNS, FOREIGN_KEYS):
        raise RuntimeError(f"{program} saw {counted} tables, columns and foreign keys")
    return facts


def _measure_workbench(url: str) -> dict[str, float]:
    import psycopg2

    from workbench.catalog.reflect import reflect
    from workbench.engines.postgres import Connection

    conn = psycopg2.connect(url, connection_factory=Connection)
    started = time.perf_counter()
    catalog = reflect(conn)
    return {
        "seconds": time.perf_counter() - started,
        "tables": len(catalog.tables),
        "columns": sum(len(table.columns) for table in catalog.tables),
        "foreign_keys": sum(len(table.foreign_keys) for table in catalog.tables),
    }


def _measure_peer(url: str) -> dict[str, float]:
    import sqlalchemy

    # The driver is named so that both programs use the same one.
    created = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://", 1))
    with created.connect() as conn:
        metadata = sqlalchemy.MetaData()
        started = time.perf_counter()
        metadata.reflect(conn)
        seconds = time.perf_counter() - started
    tables = metadata.tables.values()
    return {
        "seconds": seconds,
        "tables": len(tables),
        "columns": sum(len(table.columns) for table in tables),
        "foreign_keys": sum(len(table.foreign_key_constraints) for table in tables),
    }


def _peak_mb() -> float:
    """The highest resident memory of this process, in MB of 2**20 bytes.

    On Linux from /proc: what getrusage says there begins with the parent's memory.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> int:
    """Print the rows as a table; 1 where a limit is broken."""
    with engine() as server:
        print(server.description)
        rows = run(server)
    header = f"{'benchmark':40} {'value':>9} {'limit':>7}  {PEER:>28} {'ratio':>6}"
    print(header, "-" * len(header), sep="\n")
    for row in rows:
        value, limit, peer = (
            f"{row['value']:.2f} {row['unit']}",
            f"{row['limit']:g}",
            f"{row['peer_value']:.2f}",
        )
        broken = "" if row["ok"] else "  LIMIT BROKEN"
        print(f"{row['benchmark']:40} {value:>9} {limit:>7}  {peer:>28} {row['ratio']:>6.2f}{broken}")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure = {"workbench": _measure_workbench, "peer": _measure_peer}[sys.argv[1]]
        print(json.dumps({**measure(sys.stdin.read()), "peak_mb": _peak_mb()}))
    else:
        sys.exit(main())
