"""How far off the estimate of bloat is: tables of random types, nulls and histories, against their rewrite.

Run it as ``python bench/_structure_bloat.py``, or call `rows`. A row a kind of relation and a way of
knowing, with the errors as shares of the relation's size; a limit that is broken is marked.
"""

from __future__ import annotations

import random
import sys
from typing import Any

from workbench.areas.optimization.structure.bloat import (
    HEAP_ERROR_SHARE,
    INDEX_ERROR_SHARE,
    estimate_errors,
    index_bloat,
    table_bloat,
    usable_extension,
)
from workbench.areas.optimization.structure.reading import read_structure
from workbench.engines.postgres import Connection, Server, engine

TABLES = 40
SEEDS = (1, 2, 3, 4, 5)
# type → an expression of the row's number i; {w} is a random width
VALUES = {
    "int": "i",
    "bigint": "i * 7919::bigint % 100003",
    "smallint": "(i % 300)::smallint",
    "boolean": "i % 3 = 0",
    "text": "repeat(chr(97 + (i % 26)), (hashint4(i) & 1023) % {w})",
    'text collate "C"': "md5(i::text)",
    "varchar(20)": "(i % {w})::text",
    "numeric": "(i * 1.13)::numeric",
    "numeric(10, 2)": "(i % {w})::numeric",
    "date": "date '2020-01-01' + i % 500",
    "timestamptz": "timestamptz '2024-01-01' + i * interval '1 s'",
    "uuid": "md5(i::text)::uuid",
    "jsonb": "jsonb_build_object('k', i, 'v', repeat('x', i % {w}))",
    "int[]": "array_fill(i, array[i % {w} % 20])",
    "double precision": "i / 3.0",
    "char(10)": "(i % 100)::text",
    "inet": "'10.0.0.1'::inet + i % 1000",
    "bytea": "decode(md5(i::text), 'hex')",
    "time": "time '10:00'",
    'text collate "POSIX"': "(select substr(string_agg(md5((i * j)::text), ''), 1, {w} * 7 + i % {w})"
    " from generate_series(1, 50) j)",
}
HISTORIES = {
    "fresh": (),
    "half deleted": ("delete from {t} where (hashtext(ctid::text) & 1023) % 2 = 0",),
    "mostly deleted": ("delete from {t} where (hashtext(ctid::text) & 1023) % 10 > 0",),
    "updated": ("update {t} set c0 = c0 where (hashtext(ctid::text) & 1023) % 2 = 0",),
    "updated thrice, vacuumed": (
        "update {t} set c0 = c0 where (hashtext(ctid::text) & 1023) % 2 = 0",
        "vacuum {t}",
    )
    * 3,
}  # fmt: skip


def rows(server: Server, *, seeds: tuple[int, ...] = SEEDS, tables: int = TABLES) -> list[dict[str, Any]]:
    """The errors of all *seeds* together: median, 95th percentile and largest, and whether they hold."""
    found = [row for seed in seeds for row in errors(server, seed, tables)]
    limits = {"table": HEAP_ERROR_SHARE, "index": INDEX_ERROR_SHARE}
    return [
        _summary(
            kind, how, [abs(row[how]) for row in found if row["kind"] == kind and row[how] is not None], limit
        )
        for kind, limit in limits.items()
        for how in ("estimated_error", "counted_error")
    ]


def _summary(kind: str, how: str, values: list[float], limit: float) -> dict[str, Any]:
    values.sort()
    late = values[int(len(values) * 0.95)]
    return {
        "relations": f"{kind}, {how.removesuffix('_error')}",
        "count": len(values),
        "median": round(values[len(values) // 2], 4),
        "p95": round(late, 4),
        "largest": round(values[-1], 4),
        "limit": limit if how == "estimated_error" else None,
        "holds": how != "estimated_error" or late <= limit,
    }


def errors(server: Server, seed: int, tables: int) -> list[dict[str, Any]]:
    """What `estimate_errors` says of *tables* random tables."""
    with server.scratch_database(label="bloat") as name, server.session(name) as conn:
        conn.execute("create extension pgstattuple")
        choose = random.Random(seed)
        for number in range(tables):
            make_table(conn, f"t{number}", choose)
        conn.execute("select pg_stat_force_next_flush()")
        conn.execute("vacuum (analyze)")
        structure = read_structure(conn, is_live=False)
        extension, _ = usable_extension(conn)
        counted = {
            **table_bloat(conn, structure, limit_s=120, extension=extension),
            **index_bloat(conn, structure, limit_s=120, extension=extension),
        }
        conn.execute("vacuum full")
        rewritten = dict(
            conn.execute(
                "select oid, pg_relation_size(oid) from pg_class where relkind in ('r', 'i')"
            ).fetchall()
        )
        return estimate_errors(structure, counted, rewritten)


def make_table(conn: Connection, table: str, choose: random.Random) -> None:
    """A table of 2 to 30 columns with nulls, a fill factor, two indexes, and what happened to its rows."""
    types = [choose.choice(list(VALUES)) for _ in range(choose.choice([2, 4, 7, 9, 15, 30]))]
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(types))
    conn.execute(f"create table {table} ({columns}) with (fillfactor = {choose.choice([100, 100, 100, 80])})")
    values = ", ".join(_value(VALUES[kind], choose) for kind in types)
    conn.execute(
        f"insert into {table} select {values} from generate_series(1, {choose.choice([3000, 8000, 15000])}) i"
    )
    short = [number for number, kind in enumerate(types) if "POSIX" not in kind]
    for number in choose.sample(short, min(2, len(short))):
        conn.execute(f"create index on {table} (c{number})")
    for statement in HISTORIES[choose.choice(list(HISTORIES))]:
        conn.execute(statement.format(t=table))


def _value(expression: str, choose: random.Random) -> str:
    value = expression.replace("{w}", str(choose.choice([3, 10, 50, 200])))
    nulls = choose.choice([0, 0, 0, 1, 2, 3, 10])
    if nulls == 1:
        return "null"
    return (
        f"case when (hashint4(i + {choose.randint(0, 99)}) & 1023) % {nulls} > 0 then {value} end"
        if nulls
        else value
    )


def main() -> int:
    with engine() as server:
        found = rows(server)
    for row in found:
        print(row)
    return 0 if all(row["holds"] for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
