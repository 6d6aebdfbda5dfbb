"""The index advisor on TPC-H: what-if against built indexes, chosen sets against limits and a peer, times.

Every figure of a set is of indexes that were really built, in one database under one VACUUM ANALYZE, jit
off; 1 MB is 10^6 bytes of main forks. Setting A has no keys and 19 queries (without 02, 17 and 20, which are
nearly all of the sum), setting B all 22 with primary keys, by their geometric mean. Two workloads that
nothing was tuned on come after them. Run it as ``python bench/optimization.py [--scale 0.1] [--only PART]``
or ``workbench bench optimization``; WORKBENCH_BENCH_SCALE is the scale of either. Away from scale 1 budgets
go with the scale, and the limits of settings A and B are not applied. The exit status is 1 where a limit is
broken. At scale 1 it takes about a quarter of an hour on two cores and 6 GB of disk, and leaves 1.1 GB of
rows in the cache.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the benchmarks are files, not a package

import _optimization_fidelity as fidelity
import _optimization_others as others
import _optimization_runtime as runtime
import _optimization_sets as sets
import _optimization_tpch as tpch
from _optimization_sets import Effort, Row, Say, Setting
from rich.console import Console

from workbench.engines.postgres import Connection, Server, engine
from workbench.errors import BadInput

THOROUGH = Effort()
PARTS = ("fidelity", "a", "b", "others")
_LEFT_OUT = ("02", "17", "20")
_LIMITS_A = {141.0: 60.0, 235.0: 53.0, 358.0: 49.0, 700.0: 42.0}
_LIMITS_B = {100.0: None, 250.0: None, 500.0: 30.0}
_AHEAD_B = {100.0: 15.0, 250.0: 15.0}
_QUICK_MB, _QUICK_LIMIT_S, _QUICK_CALLS = 235.0, 2.0, 1_000
_EXTEND = (
    55.8  # what Extend (Schlosser, Kossmann, Boissier, ICDE 2019) comes to at that size, by built indexes
)
_LONGEST_S = 20.0  # a statement; on TPC-H without indexes two do not end


def run(
    server: Server,
    *,
    scale: float | None = None,
    parts: Sequence[str] = PARTS,
    effort: Effort = THOROUGH,
) -> list[Row]:
    """The benchmark's rows. Raises FeatureUnavailable without tpchgen-cli, EngineError without the space."""
    scale = _scale(os.environ.get("WORKBENCH_BENCH_SCALE", "1")) if scale is None else scale
    console = Console(stderr=True)
    began = time.monotonic()
    found: list[Row] = []
    with console.status("") as status:

        def say(doing: str) -> None:
            line = f"{time.monotonic() - began:5.0f} s  {doing}"
            if console.is_terminal:
                status.update(line)
            else:
                console.print(line, markup=False, highlight=False, soft_wrap=True)

        if {"fidelity", "a", "b"} & set(parts):
            found += _tpch_rows(server, scale, parts, effort, say)
        if "others" in parts:
            found += others.rows(server, scale, effort, say)
    return found


def _scale(given: str) -> float:
    try:
        scale = float(given)
    except ValueError:
        scale = 0.0
    if not 0.01 <= scale <= 100:
        raise BadInput(f"the scale {given!r} is none: give a number from 0.01 to 100, such as 0.1")
    return scale


def _tpch_rows(server: Server, scale: float, parts: Sequence[str], effort: Effort, say: Say) -> list[Row]:
    found: list[Row] = []
    with server.scratch_database(label="bench") as name, server.session(name) as conn:
        say(f"filling TPC-H at scale {scale:g}")
        tpch.load(conn, scale)
        if "fidelity" in parts:
            found += fidelity.rows(fidelity.measure(server, conn, tpch.queries(conn).statements, say))
        if "a" in parts:
            found += _setting_a(server, conn, scale, effort, say)
        if "b" in parts:
            say("adding the primary keys")
            tpch.add_keys(conn)
            found += _setting_b(server, conn, scale, effort, say)
    return found


def _setting_a(server: Server, conn: Connection, scale: float, effort: Effort, say: Say) -> list[Row]:
    workload = tpch.queries(conn, without=_LEFT_OUT)
    settings = {"work_mem": "4MB"}
    whole = Setting(
        "TPC-H A", workload, "total", _scaled(_LIMITS_A, scale), settings, effort=effort, has_peer=False
    )
    quick = Setting(
        "TPC-H A",
        workload,
        "total",
        _scaled({_QUICK_MB: _EXTEND}, scale),
        settings,
        effort=Effort(_QUICK_LIMIT_S, _QUICK_CALLS),
        has_peer=False,
    )
    chosen_quickly = sets.choose(server, conn, quick, say)
    chosen = sets.choose(server, conn, whole, say)
    built = sets.build_all(conn, [*chosen, *chosen_quickly], say)
    found = sets.rows(whole, sets.judge(built, whole, chosen))
    (judged,) = sets.judge(built, quick, chosen_quickly)
    found += sets.effort_rows(
        quick, judged, limit_s=_QUICK_LIMIT_S if scale == 1 else None, most_calls=_QUICK_CALLS
    )
    built.drop()
    return found


def _setting_b(server: Server, conn: Connection, scale: float, effort: Effort, say: Say) -> list[Row]:
    setting = Setting(
        "TPC-H B",
        tpch.queries(conn),
        "ratio",
        _scaled(_LIMITS_B, scale),
        {"work_mem": "64MB"},
        ahead=_AHEAD_B if scale == 1 else {},
        effort=effort,
    )
    chosen = sets.choose(server, conn, setting, say)
    built = sets.build_all(conn, chosen, say)
    found = sets.rows(setting, sets.judge(built, setting, chosen))
    largest = chosen[-1]
    timed = runtime.measure(
        built,
        setting.workload.statements,
        {"without": (), "with": largest.indexes, "peer": largest.peer},
        setting.settings,
        limit_s=_LONGEST_S,
        say=say,
    )
    return found + runtime.rows(f"TPC-H B, {largest.budget_mb:g} MB", timed, limit=100.0)


def _scaled(limits: dict[float, Any], scale: float) -> dict[float, Any]:
    """Budgets at *scale*; the limits are those of scale 1."""
    return limits if scale == 1 else {round(each * scale, 3): None for each in limits}


def main() -> int:
    """Print the rows; 1 where a limit is broken."""
    parser = argparse.ArgumentParser(description="The benchmark of the index advisor.")
    parser.add_argument("--scale", default=os.environ.get("WORKBENCH_BENCH_SCALE", "1"))
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--deadline", type=float, default=THOROUGH.deadline_s, help="seconds for a set")
    given = parser.parse_args()
    with engine() as server:
        print(server.description)
        rows = run(
            server, scale=_scale(given.scale), parts=given.only or PARTS, effort=Effort(given.deadline)
        )
    for row in rows:
        limit = "" if row["limit"] is None else f"limit {row['limit']:g}"
        peer = "" if row["peer_value"] is None else f"{row['peer']} {row['peer_value']:g}"
        named = f"  {row['peer']}" if row["peer"] and not peer else ""
        broken = named if row["ok"] else f"  LIMIT BROKEN{named}"
        print(f"{row['benchmark']:96} {row['value']:>9g} {row['unit']:12} {limit:10} {peer}{broken}")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
