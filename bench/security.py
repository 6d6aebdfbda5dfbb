"""What security costs: an audit trail a row, row security a query, encryption a value, a whole attack run.

Every figure stands beside its peer of the same run. Run it as ``python bench/security.py [--only PART]``
or ``workbench bench security``; the exit status is 1 where a limit is broken. It takes some minutes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the benchmarks are files, not a package

import _security_audit as audit
import _security_encryption as encryption
from rich.console import Console
from rich.table import Table

from workbench.areas.security import Ground, row_security_cost, run_attacks, security_ground
from workbench.engines.postgres import Server, engine
from workbench.source import Options, open_source

Row = dict[str, Any]
PARTS = ("audit", "encryption", "row security", "attacks")
_MEASURED_ROWS = 500_000
_AS_DESIGNED = "as designed"
_LIMIT_OF_PER_ROW = 0.5  # of a policy that asks for the identity once a row, where no index helps
_LONGEST_RUN_S = 60.0  # of all attacks on the example


def run(server: Server, *, parts: Sequence[str] = PARTS) -> list[Row]:
    """The benchmark's rows. Raises FeatureUnavailable where the CPU of a server process cannot be seen."""
    found: list[Row] = []
    if "audit" in parts:
        found += audit.rows(server)
    if "encryption" in parts:
        found += encryption.rows(server)
    if {"row security", "attacks"} & set(parts):
        with (
            open_source("ecommerce", server, Options(scale=0.01)) as opened,
            security_ground(opened) as ground,
        ):
            if "row security" in parts:
                found += _row_security(ground)
            if "attacks" in parts:
                found += _attacks(ground)
    return found


def _row_security(ground: Ground) -> Iterator[Row]:
    """Each shape of query as designed, beside the other ways to write its policy, and beside none."""
    costs = row_security_cost(ground.place, rows=_MEASURED_ROWS)
    for shape in dict.fromkeys(each.shape for each in costs):
        times = {each.variant: each.median_ms for each in costs if each.shape == shape}
        ours = times.pop(_AS_DESIGNED)
        for variant, peer in times.items():
            limit = _LIMIT_OF_PER_ROW if variant == "a setting a row" and "scan" in shape else None
            yield _row(f"row security, {shape}", ours, "ms", variant, peer, limit)


def _attacks(ground: Ground) -> list[Row]:
    found = run_attacks(ground.hardened)
    row = _row(
        f"attacks on the example: {len(found.attempts):,} attempts",
        found.elapsed_s,
        "s",
        "limit",
        _LONGEST_RUN_S,
        1.0,
    )
    return [row]


def _row(benchmark: str, value: float, unit: str, peer: str, peer_value: float, limit: float | None) -> Row:
    ratio = value / peer_value
    return {
        "benchmark": benchmark,
        "value": round(value, 3),
        "unit": unit,
        "peer": peer,
        "peer_value": round(peer_value, 3),
        "ratio": round(ratio, 3),
        "limit": limit,
        "ok": limit is None or ratio <= limit,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", choices=PARTS, action="append", help="a part of it; may be repeated")
    given = arguments.parse_args()
    with engine() as server:
        found = run(server, parts=given.only or PARTS)
    table = Table()
    for heading in found[0]:
        table.add_column(heading)
    for each in found:
        table.add_row(*("" if value is None else str(value) for value in each.values()))
    Console().print(table, markup=False)
    raise SystemExit(0 if all(each["ok"] for each in found) else 1)


if __name__ == "__main__":
    main()
