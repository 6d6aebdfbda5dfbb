"""The example's generator at scale 1 against pgbench's own initialisation, in rows a second.

pgbench -i writes as many rows by COPY and checks one primary key a table; ours computes every row,
and foreign keys, checks, totals and stock are verified. The limit is 60 s.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from workbench import example
from workbench.engines.postgres import Server, engine

LIMIT_S = 60
PGBENCH_SCALE = 10  # a million accounts


def run(server: Server) -> list[dict[str, Any]]:
    """One measurement: seconds for scale 1, and its rows a second over those of pgbench -i."""
    with server.scratch_database(label="bench") as name, server.session(name) as conn:
        example.apply_schema(conn)
        made = example.generate(conn, scale=1.0, seed=1)
    rows_per_s = sum(made.rows.values()) / made.elapsed_s
    peer_rows_per_s = _pgbench_rows_per_s(server)
    return [
        {
            "benchmark": f"generator, scale 1: {made.order_items:,} items, {sum(made.rows.values()):,} rows",
            "value": round(made.elapsed_s, 1),
            "unit": "s",
            "peer": "pgbench -i, rows/s (ours over it)",
            "peer_value": round(peer_rows_per_s),
            "ratio": round(rows_per_s / peer_rows_per_s, 2),
            "limit": LIMIT_S,
            "ok": made.elapsed_s < LIMIT_S,
        }
    ]


def _pgbench_rows_per_s(server: Server) -> float:
    with server.scratch_database(label="bench") as name:
        started = time.perf_counter()
        subprocess.run(
            [
                server.binaries.path("pgbench"),
                "-i",
                "-I",
                "dtgvp",
                "-q",
                "-s",
                str(PGBENCH_SCALE),
                server.url(name),
            ],
            check=True,
            capture_output=True,
            env=server.binaries.environment(),
        )
        return PGBENCH_SCALE * 100_000 / (time.perf_counter() - started)


if __name__ == "__main__":
    with engine() as running:
        measured = run(running)
    for row in measured:
        print(row)
    sys.exit(not all(row["ok"] for row in measured))
