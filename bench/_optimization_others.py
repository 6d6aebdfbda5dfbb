"""Two more workloads, on which nothing was tuned: the e-commerce example, and a generated rental shop."""

from __future__ import annotations

from pathlib import Path

import _optimization_runtime as runtime
import _optimization_sets as sets
from _optimization_sets import Effort, Row, Say, Setting

from workbench import example
from workbench.engines.postgres import Connection, Server
from workbench.proof.workload import Workload, workload_of_files

FOLDER = Path(__file__).parent / "optimization"
_SHOP_SCALE, _RENTALS = 0.3, 500_000
_SHOP_BUDGETS_MB, _RENTAL_BUDGETS_MB = (10.0, 40.0), (15.0, 60.0)  # at scale 1
_LONGEST_S = 10.0


def rows(server: Server, scale: float, effort: Effort, say: Say) -> list[Row]:
    """The figures of both, at *scale* of 300,000 order items and 500,000 rentals."""
    found: list[Row] = []
    with server.scratch_database(label="bench") as name, server.session(name) as conn:
        say("filling the e-commerce example")
        example.apply_schema(conn)
        example.generate(conn, scale=_SHOP_SCALE * scale, seed=1)
        found += _figures(server, conn, "e-commerce", "shop.sql", _SHOP_BUDGETS_MB, scale, effort, say)
    with server.scratch_database(label="bench") as name, server.session(name) as conn:
        say("filling the rental shop")
        fill_rentals(conn, max(5_000, round(_RENTALS * scale)))
        found += _figures(server, conn, "rental shop", "rental.sql", _RENTAL_BUDGETS_MB, scale, effort, say)
    return found


def fill_rentals(conn: Connection, rentals: int) -> None:
    """The rental shop with that many *rentals*."""
    conn.execute((FOLDER / "rental_schema.sql").read_text(encoding="utf-8"))
    conn.execute(
        (FOLDER / "rental_rows.sql").read_text(encoding="utf-8").replace("{rentals}", str(int(rentals)))
    )
    conn.execute("reset search_path")
    conn.execute("vacuum (analyze)")


def _figures(
    server: Server,
    conn: Connection,
    name: str,
    file: str,
    budgets_mb: tuple[float, ...],
    scale: float,
    effort: Effort,
    say: Say,
) -> list[Row]:
    setting = Setting(
        name,
        statements(conn, file),
        "total",
        {round(each * scale, 3): 100.0 for each in budgets_mb},
        {"work_mem": "64MB"},
        ahead={round(each * scale, 3): 0.0 for each in budgets_mb} if scale == 1 else {},
        effort=effort,
    )
    chosen = sets.choose(server, conn, setting, say)
    built = sets.build_all(conn, chosen, say)
    largest = chosen[-1]
    timed = runtime.measure(
        built,
        setting.workload.statements,
        {"without": (), "with": largest.indexes, "peer": largest.peer},
        setting.settings,
        limit_s=_LONGEST_S,
        say=say,
    )
    what = f"{name}, {largest.budget_mb:g} MB"
    return [*sets.rows(setting, sets.judge(built, setting, chosen)), *runtime.rows(what, timed, limit=100.0)]


def statements(conn: Connection, file: str) -> Workload:
    """The workload of *file*; all of it must be understood."""
    workload = workload_of_files(FOLDER / file, conn)
    if workload.unread:
        raise RuntimeError(f"{workload.unread[0].where}: {workload.unread[0].reason}")
    return workload
