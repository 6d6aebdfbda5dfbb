"""TPC-H at a scale: rows by tpchgen-cli, kept in the cache, and the 22 queries with their validation values.

The tables are those of section 1.4 of the specification (tpc.org), the queries those of section 2.4.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from psycopg2 import sql as composed

from workbench.engines.places import cache_folder
from workbench.engines.postgres import Connection
from workbench.errors import EngineError, FeatureUnavailable
from workbench.proof.workload import Workload, workload_of_files

FOLDER = Path(__file__).parent / "tpch"
TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")
_BYTES_A_SCALE = 6_000_000_000  # rows as text, the tables, the sets of indexes, and what sorting takes
_BYTES_AT_LEAST = 500_000_000


def load(conn: Connection, scale: float) -> None:
    """Make and fill the tables without keys, then VACUUM and ANALYZE. Raises EngineError without space."""
    require_space(scale)
    folder = rows_as_text(scale)
    conn.execute("begin")
    conn.execute((FOLDER / "schema.sql").read_text(encoding="utf-8"))
    for table in TABLES:
        copy = composed.SQL("copy {} from stdin (format csv, header, freeze)").format(
            composed.Identifier(table)
        )
        with conn.cursor() as cursor, (folder / f"{table}.csv").open(encoding="utf-8") as rows:
            cursor.copy_expert(copy, rows)
    conn.execute("commit")
    conn.execute("vacuum (analyze)")


def add_keys(conn: Connection) -> None:
    """The primary keys, then VACUUM and ANALYZE."""
    conn.execute((FOLDER / "keys.sql").read_text(encoding="utf-8"))
    conn.execute("vacuum (analyze)")


def queries(conn: Connection, *, without: tuple[str, ...] = ()) -> Workload:
    """The 22 queries by their numbers, but for those in *without*."""
    workload = workload_of_files(FOLDER / "queries", conn)
    if workload.unread:
        raise RuntimeError(f"{workload.unread[0].where}: {workload.unread[0].reason}")
    return Workload(
        [each for each in workload.statements if each.name not in without], origin=workload.origin
    )


def rows_as_text(scale: float) -> Path:
    """The folder with a .csv a table, made on the first call.

    Raises FeatureUnavailable without the generator.
    """
    folder = cache_folder() / f"tpch-{scale:g}"
    if folder.is_dir():
        return folder
    generator = shutil.which("tpchgen-cli", path=str(Path(sys.executable).parent)) or shutil.which(
        "tpchgen-cli"
    )
    if generator is None:
        raise FeatureUnavailable(
            "making the rows of TPC-H",
            "this Python environment",
            hint="pip install tpchgen-cli, which the development dependencies hold",
        )
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    done = subprocess.run(
        [generator, "csv", "-s", f"{scale:g}", "--output-dir", str(making), "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(making, ignore_errors=True)
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise EngineError(f"tpchgen-cli made no rows at scale {scale:g}: {said}")
    making.rename(folder)
    return folder


def require_space(scale: float) -> None:
    """EngineError where the cache folder has not the room that the benchmark takes at *scale*."""
    needed = _BYTES_AT_LEAST + _BYTES_A_SCALE * scale
    free = shutil.disk_usage(cache_folder()).free
    if free < needed:
        raise EngineError(
            f"TPC-H at scale {scale:g} takes about {needed / 1e9:.1f} GB and {cache_folder()} has "
            f"{free / 1e9:.1f} GB free: free some, name another folder in WORKBENCH_CACHE, or take a smaller "
            "scale (WORKBENCH_BENCH_SCALE)"
        )
