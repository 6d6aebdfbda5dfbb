"""Findings about space that live rows do not need, and about indexes larger than what they index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from workbench.areas.optimization.structure.model import (
    AREA,
    Bloat,
    IndexFacts,
    Limits,
    Structure,
    TableFacts,
)
from workbench.areas.optimization.structure.wording import in_bytes, of_table, percent
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding

TABLE_BLOAT = "table_bloat"
TOAST_BLOAT = "toast_bloat"
INDEX_BLOAT = "index_bloat"
LARGE_INDEX = "index_larger_than_table"
_MANUAL = "Source: PostgreSQL manual, 25.1 Routine Vacuuming."


def waste_findings(
    conn: Connection, structure: Structure, bloat: Mapping[int, Bloat], limits: Limits, counted_on: str
) -> list[Finding]:
    """Bloat of tables, their TOAST and their indexes, partitions summed up to the partitioned table."""
    return [
        finding
        for title, tables in structure.by_root().items()
        for finding in (
            *_tables(conn, title, tables, bloat, limits, counted_on),
            *_toasts(conn, title, tables, bloat, limits, counted_on),
            *_indexes(conn, tables, bloat, limits, counted_on),
        )
    ]


def _tables(
    conn: Connection,
    title: str,
    tables: Sequence[TableFacts],
    bloat: Mapping[int, Bloat],
    limits: Limits,
    counted_on: str,
) -> Iterator[Finding]:
    found = [bloat[table.oid] for table in tables]
    if not _is_worth_saying(found, limits, limits.bloat_share):
        return
    guilty = [
        table
        for table in tables
        if (bloat[table.oid].share or 0) >= limits.bloat_share / 2 and bloat[table.oid].wasted_bytes
    ]
    yield Finding(
        AREA,
        TABLE_BLOAT,
        "warn" if _wasted(found) > _size(found) / 2 else "info",
        title,
        f"{title}: {_how_much(found)} hold no live row{_partitions(tables)}",
        "Updates and deletes leave dead rows; VACUUM makes their space usable again, and only a rewrite "
        f"gives it back to the file system. Until then every scan of the table reads it. {_MANUAL}",
        "\n".join(_table_fix(conn, table, bloat[table.oid]) for table in guilty),
        **_standing(found, counted_on),
    )


def _table_fix(conn: Connection, table: TableFacts, bloat: Bloat) -> str:
    """Vacuum, a lower threshold for the autovacuum, and the rewrite as the architect's own decision."""
    lines = [of_table(conn, "vacuum (analyze) {};", table.schema, table.name)]
    if "autovacuum_vacuum_scale_factor" not in table.options and not table.is_view:
        lines.append(
            of_table(
                conn,
                "alter table {} set (autovacuum_vacuum_scale_factor = 0.05);",
                table.schema,
                table.name,
            )
        )
    rewrite = of_table(conn, "vacuum (full, analyze) {};", table.schema, table.name)
    lines.append(
        f"-- gives back {in_bytes(bloat.wasted_bytes or 0)} to the file system; meanwhile nobody can read or "
        f"write (ACCESS EXCLUSIVE, {in_bytes(table.total_bytes)} to rewrite). pg_repack holds that lock only "
        f"at its begin and its end:\n-- {rewrite}"
    )
    return "\n".join(lines)


def _toasts(
    conn: Connection,
    title: str,
    tables: Sequence[TableFacts],
    bloat: Mapping[int, Bloat],
    limits: Limits,
    counted_on: str,
) -> Iterator[Finding]:
    with_toast = [table for table in tables if table.toast_oid in bloat]
    found = [bloat[table.toast_oid] for table in with_toast]
    if not found or not _is_worth_saying(found, limits, limits.bloat_share):
        return
    yield Finding(
        AREA,
        TOAST_BLOAT,
        "info",
        title,
        f"{title}: {_how_much(found)} in its TOAST tables hold no live value{_partitions(with_toast)}",
        "A long value that is updated or deleted leaves its chunks in the TOAST table, which is vacuumed "
        f"with the table. {_MANUAL}",
        "\n".join(of_table(conn, "vacuum {};", table.schema, table.name) for table in with_toast),
        **_standing(found, counted_on),
    )


def _indexes(
    conn: Connection,
    tables: Sequence[TableFacts],
    bloat: Mapping[int, Bloat],
    limits: Limits,
    counted_on: str,
) -> Iterator[Finding]:
    by_root: dict[str, list[IndexFacts]] = {}
    for table in tables:
        for index in table.indexes:
            by_root.setdefault(index.root_title, []).append(index)
    heap_bytes = sum(table.heap_bytes for table in tables)
    for title, indexes in by_root.items():
        found = [bloat[index.oid] for index in indexes]
        if _is_worth_saying(found, limits, limits.index_bloat_share):
            yield Finding(
                AREA,
                INDEX_BLOAT,
                "info",
                title,
                f"{title}: {_how_much(found)} would be free if it were built anew",
                "Pages that deletes and splits have left half empty stay so; searches read more pages, "
                "and the cache holds less. Below about half an index of random keys is only as full as it "
                "always becomes. Source: PostgreSQL manual, 25.2 Routine Reindexing.",
                "\n".join(
                    of_table(conn, "reindex index concurrently {};", index.schema, index.name)
                    for index in indexes
                    if (bloat[index.oid].share or 0) >= limits.index_bloat_share / 2
                ),
                **_standing(found, counted_on),
            )
        elif _size(found) - _wasted(found) > heap_bytes and _size(found) >= limits.index_bytes:
            yield _larger_than_table(indexes[0], found, heap_bytes, counted_on)


def _larger_than_table(
    index: IndexFacts, found: Sequence[Bloat], heap_bytes: int, counted_on: str
) -> Finding:
    size_bytes, wasted = _size(found), _wasted(found)
    known = all(each.wasted_bytes is not None for each in found)
    because = (
        f"{in_bytes(size_bytes - wasted)} if it were built anew"
        if known
        else f"how much of it is bloat is not known: {found[0].because}"
    )
    sizes = f"{index.root_title} has {in_bytes(size_bytes)}, its table {in_bytes(heap_bytes)}"
    return Finding(
        AREA,
        LARGE_INDEX,
        "info",
        index.root_title,
        f"{sizes} ({because})",
        "Such an index holds wide or many keys a row; it takes more cache and more writes than the table "
        "itself. A question, not a verdict: does a search need all of these keys in full? A prefix, a hash "
        "of "
        "a long value, a partial index or another method (BRIN) may do.",
        f"-- as it is now:\n-- {index.definition};",
        verified=True,
        evidence=(
            Evidence(
                "sizes",
                f"The server's own sizes: {sizes}.",
                counted_on,
                {
                    "size_bytes": size_bytes,
                    "table_bytes": heap_bytes,
                    "wasted_bytes": wasted if known else None,
                },
            ),
        ),
    )


def _is_worth_saying(found: Sequence[Bloat], limits: Limits, share: float) -> bool:
    """Whether the waste passes both limits, an estimate with its error taken off."""
    size = _size(found)
    error = sum((each.error_share or 0) * each.size_bytes for each in found)
    sure = _wasted(found) - error
    return sure >= limits.bloat_bytes and sure >= share * size


def _wasted(found: Sequence[Bloat]) -> int:
    return sum(each.wasted_bytes or 0 for each in found)


def _size(found: Sequence[Bloat]) -> int:
    return sum(each.size_bytes for each in found)


def _is_counted(found: Sequence[Bloat]) -> bool:
    return all(each.how == "pgstattuple" for each in found if each.size_bytes)


def _how_much(found: Sequence[Bloat]) -> str:
    wasted, size = _wasted(found), _size(found)
    text = f"{in_bytes(wasted)} of {in_bytes(size)} ({percent(wasted / size)})"
    if _is_counted(found):
        return text
    error = max(each.error_share or 0 for each in found)
    return f"about {text[:-1]}, give or take {error * 100:.0f} points)"


def _partitions(tables: Sequence[TableFacts]) -> str:
    return f" ({len(tables)} partitions)" if len(tables) > 1 else ""


def _standing(found: Sequence[Bloat], counted_on: str) -> dict[str, Any]:
    """Whether the claim is proved, and by what."""
    facts = {
        "size_bytes": _size(found),
        "wasted_bytes": _wasted(found),
        "dead_bytes": _total(found, lambda each: each.dead_bytes),
        "free_bytes": _total(found, lambda each: each.free_bytes),
        "error_share": max((each.error_share or 0 for each in found), default=0),
        "relations": len(found),
    }
    if _is_counted(found):
        summary = f"Counted by pgstattuple: {_how_much(found)}."
        return {"verified": True, "evidence": (Evidence("counted", summary, counted_on, facts),)}
    return {
        "unverified_because": "it is an estimate from the planner's statistics: pgstattuple could not count "
        "it",
        "evidence": (Evidence("estimate", f"By statistics: {_how_much(found)}.", counted_on, facts),),
    }


def _total(found: Sequence[Bloat], part: Callable[[Bloat], int | None]) -> int | None:
    parts = [part(each) for each in found]
    return None if any(each is None for each in parts) else sum(each or 0 for each in parts)
