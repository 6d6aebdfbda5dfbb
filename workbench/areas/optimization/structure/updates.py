"""Findings about updates that could not stay on their page (HOT): no room there, or an indexed column.

An update is HOT where no indexed column changes and the new row fits onto the old one's page; then no
index is written and the dead row goes without a vacuum. Source: PostgreSQL manual, 66.7 Heap-Only Tuples;
CREATE TABLE, fillfactor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
from pglast import ast, parse_sql
from pglast.parser import ParseError
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.optimization.structure.model import AREA, Limits, Structure, TableFacts
from workbench.areas.optimization.structure.reading import FOLDER
from workbench.areas.optimization.structure.wording import in_bytes, of_table, percent
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding
from workbench.proof.workload.model import Workload

HOT = "low_hot_share"
_SCHEMA = "workbench_trial"
_ROWS = 20_000
_ROUNDS = 6
_FILL_PERCENTS = (90, 80, 70)
_WORTH = 0.2
_UPDATE_SHARE = 0.05
_WHY = (
    "An update that leaves its page, or changes an indexed column, writes an entry into every index of the "
    "table and leaves its dead row to vacuum. Source: PostgreSQL manual, 66.7 Heap-Only Tuples."
)


@dataclass(frozen=True)
class HotTrial:
    """One run of the same updates: *fill_percent* of the heap, *without* an index or with all of them."""

    fill_percent: int
    without: str
    updated: int
    hot: int
    wal_bytes: int
    table_bytes: int
    index_bytes: int

    @property
    def share(self) -> float:
        return self.hot / self.updated if self.updated else 0.0


def written_columns(workload: Workload | None, structure: Structure) -> dict[str, list[str]]:
    """The columns that the workload's UPDATEs set, by the table that people know.

    A table whose UPDATEs are less than a twentieth of the workload, by weight, is left out.
    """
    if workload is None:
        return {}
    total = sum(statement.weight for statement in workload.statements)
    weights: dict[str, float] = {}
    found: dict[str, dict[str, None]] = {}
    for statement in workload.statements:
        if statement.kind != "update":
            continue
        for tree in _updates_of(statement.sql):
            title = _title(structure, tree.relation, statement.search_path)
            if title:
                weights[title] = weights.get(title, 0.0) + statement.weight
                names = found.setdefault(title, {})
                names.update({target.name: None for target in tree.targetList or () if target.name})
    return {title: list(names) for title, names in found.items() if weights[title] >= _UPDATE_SHARE * total}


def _updates_of(text: str) -> list[Any]:
    try:
        trees = [raw.stmt for raw in parse_sql(text)]
    except ParseError:  # of a newer grammar than pglast's
        return []
    return [tree for tree in trees if isinstance(tree, ast.UpdateStmt) and tree.relation is not None]


def _title(structure: Structure, relation: Any, search_path: Sequence[str]) -> str | None:
    """The one table that *relation* means, or None where that is not clear."""
    named = [table for table in structure.tables if relation.relname in (table.name, table.root_name)]
    if relation.schemaname:
        named = [table for table in named if table.schema == relation.schemaname]
    elif search_path:
        first = next((each for each in search_path if any(t.schema == each for t in named)), None)
        named = [table for table in named if table.schema == first]
    titles = {table.root_title for table in named}
    return titles.pop() if len(titles) == 1 else None


def hot_findings(
    conn: Connection,
    structure: Structure,
    written: Mapping[str, Sequence[str]],
    limits: Limits,
    source: str,
) -> Iterator[Finding]:
    """Tables of a live server whose updates are seldom HOT, by its counters, with the cause they show."""
    for title, tables in structure.by_root().items():
        updated = sum(table.updated for table in tables)
        hot = sum(table.hot_updated for table in tables)
        if updated < limits.updates or hot >= limits.hot_share * updated:
            continue
        newpages = [table.newpage_updated for table in tables if table.newpage_updated is not None]
        moved = sum(newpages) if len(newpages) == len(tables) else None
        indexed = _indexed(tables, written.get(title, ()))
        yield Finding(
            AREA,
            HOT,
            "info",
            title,
            f"{title}: {percent(hot / updated)} of {updated} updates were HOT; {_cause(updated, hot, moved)}",
            _WHY + (f" The workload sets {', '.join(indexed)}, which indexes need." if indexed else ""),
            _fix(conn, tables, updated - hot, moved, indexed),
            unverified_because="a copy of a named database has no rows to try it on",
            evidence=(
                Evidence(
                    "counters",
                    f"{hot} of {updated} updates were HOT in {structure.server.counted}.",
                    source,
                    {"updated": updated, "hot": hot, "moved_to_another_page": moved, "indexed": indexed},
                ),
            ),
        )


def _cause(updated: int, hot: int, moved: int | None) -> str:
    if moved is None:
        return "whether for want of room or for an index, this version does not count"
    if moved >= (updated - hot) / 2:
        return f"{percent(moved / updated)} found no room on their page"
    return "the others changed a column that an index needs"


def _indexed(tables: Sequence[TableFacts], written: Sequence[str]) -> list[str]:
    """The columns of *written* that stand in an index, with its name."""
    table = tables[0]
    return [
        f"{name} ({index.name})"
        for name in written
        for index in table.indexes
        if any(table.names.get(position) == name for position in index.columns)
    ]


def _fix(
    conn: Connection, tables: Sequence[TableFacts], not_hot: int, moved: int | None, indexed: Sequence[str]
) -> str:
    lines = []
    if moved is None or moved >= not_hot / 2:
        lines += [
            of_table(conn, "alter table {} set (fillfactor = 90);", table.schema, table.name)
            for table in tables
            if table.fill_percent > 90
        ]
        lines.append("-- holds for pages written from now on; those there follow as they are rewritten")
    if moved is None or moved < not_hot / 2 or not lines:
        names = ", ".join(indexed) or ", ".join(index.title for index in tables[0].indexes)
        lines.append(f"-- which of these must hold a column that is updated so often? {names}")
    return "\n".join(lines)


# On a copy that has rows


def try_updates(
    conn: Connection,
    structure: Structure,
    written: Mapping[str, Sequence[str]],
    engine: str,
) -> tuple[list[Finding], list[str]]:
    """Tables that the workload updates, where another fill factor or one index fewer keeps updates HOT.

    *conn* is to a scratch copy, in which a schema for the trials is made. The same updates, of values that
    other rows have, run with each fill factor; only what gains 20 points of HOT is said. With the findings
    comes a line for each table on which they could not run.
    """
    found: list[Finding] = []
    lines: list[str] = []
    by_root = structure.by_root()
    conn.execute(composed.SQL("create schema {}").format(composed.Identifier(_SCHEMA)))
    for title, columns in written.items():
        table = max(by_root[title], key=lambda each: (each.rows or 0, each.title))
        names = [name for name in columns if name in set(table.names.values())]
        if not table.rows or not names:
            continue
        try:
            finding = _try_table(conn, table, title, names, engine)
        except psycopg2.Error as exc:
            if conn.closed:
                raise
            conn.execute("rollback")
            reason = (exc.diag.message_primary or str(exc)).strip().splitlines()[0]
            lines.append(f"HOT updates of {title}: they could not be tried on a copy: {reason}")
            continue
        if finding:
            found.append(finding)
    return found, lines


def _try_table(
    conn: Connection, table: TableFacts, title: str, names: Sequence[str], engine: str
) -> Finding | None:
    now = _trial(conn, table, names, table.fill_percent)
    if not now.updated or now.share > 1 - _WORTH:
        return None
    looser = [_trial(conn, table, names, each) for each in _FILL_PERCENTS if each < table.fill_percent]
    fewer = [
        replace(_trial(conn, table, names, table.fill_percent, index), without=original)
        for index, original in _in_the_way(conn, table, names)
    ]
    trials = (*looser, *fewer)
    best = max(trials, key=lambda each: each.share, default=now)
    if best.share - now.share < _WORTH:
        return None
    enough = now.share + 0.8 * (best.share - now.share)
    chosen = next(each for each in trials if each.share >= enough)
    return _tried(conn, table, title, names, now, chosen, trials, engine)


def _in_the_way(conn: Connection, table: TableFacts, names: Sequence[str]) -> list[tuple[str, str]]:
    """The indexes of the copy that the updates would write, constraints' apart, with their true names."""
    _make_copy(conn, table, table.fill_percent)
    parameters = {"name": table.name, "columns": list(names), "original": table.oid}
    rows = sql.fetch(conn, f"{FOLDER}/trial_indexes.sql", parameters)
    return [(row["name"], row["original_name"]) for row in rows]


def _trial(
    conn: Connection, table: TableFacts, names: Sequence[str], fill_percent: int, without: str = ""
) -> HotTrial:
    """The same updates, each round committed and its dead rows cleared before the next."""
    _make_copy(conn, table, fill_percent)
    copy = composed.Identifier(_SCHEMA, table.name)
    if without:
        conn.execute(composed.SQL("drop index {}").format(composed.Identifier(_SCHEMA, without)))
    unique = {
        table.names.get(position)
        for index in table.indexes
        if index.is_unique
        for position in index.columns[: index.key_columns]
    }
    changes = composed.SQL(", ").join(
        composed.SQL("{column} = {source}").format(
            column=composed.Identifier(name),
            source=composed.Identifier("c" if name in unique else "p", name),
        )
        for name in names
    )
    updated = hot = wal_bytes = 0
    size: Mapping[str, Any] = {}
    for number in range(_ROUNDS):
        statement = composed.SQL(
            "explain (analyze, wal, costs off, timing off, format json) update {copy} as c set {changes} "
            "from {pool} as p where p.workbench_number = 1 + pg_catalog.mod(pg_catalog.abs("
            "pg_catalog.hashtextextended(c.ctid::text, {number}))::numeric, (select pg_catalog.count(*) "
            "from {pool}))"
            " and pg_catalog.mod(pg_catalog.abs(pg_catalog.hashtextextended(c.ctid::text, -1 - "
            "{number}))::numeric, 5) = 0"
        ).format(
            copy=copy,
            changes=changes,
            pool=composed.Identifier(_SCHEMA, "workbench_pool"),
            number=composed.Literal(number),
        )
        conn.execute("begin")
        (before,) = sql.fetch(conn, f"{FOLDER}/updated_now.sql", {"name": table.name})
        row = conn.execute(statement).fetchone()
        (size,) = sql.fetch(conn, f"{FOLDER}/updated_now.sql", {"name": table.name})
        conn.execute("commit")
        # as reading a page would clear it of dead rows, were no other transaction running in the server
        conn.execute(composed.SQL("vacuum (index_cleanup off, truncate off) {}").format(copy))
        updated += size["updated"] - before["updated"]
        hot += size["hot"] - before["hot"]
        wal_bytes += int(row[0][0]["Plan"].get("WAL Bytes", 0)) if row else 0
    return HotTrial(fill_percent, without, updated, hot, wal_bytes, size["table_bytes"], size["index_bytes"])


def _make_copy(conn: Connection, table: TableFacts, fill_percent: int) -> None:
    """The first rows of the table with its indexes and checks, without triggers and foreign keys."""
    copy, pool = composed.Identifier(_SCHEMA, table.name), composed.Identifier(_SCHEMA, "workbench_pool")
    source = composed.Identifier(table.schema, table.name)
    written = [column for column in table.stored if not column.generated and column.name]
    columns = composed.SQL(", ").join(composed.Identifier(column.name or "") for column in written)
    conn.execute(composed.SQL("drop table if exists {}, {}").format(copy, pool))
    conn.execute(
        composed.SQL("create table {} (like {} including all) with (fillfactor = {})").format(
            copy, source, composed.Literal(fill_percent)
        )
    )
    conn.execute(
        composed.SQL("insert into {} ({}) overriding system value select {} from {} limit {}").format(
            copy, columns, columns, source, composed.Literal(_ROWS)
        )
    )
    conn.execute(
        composed.SQL(
            "create table {} as select pg_catalog.row_number() over () as workbench_number, s.* from {} s"
        ).format(pool, copy)
    )
    conn.execute(composed.SQL("analyze {}, {}").format(copy, pool))


def _tried(
    conn: Connection,
    table: TableFacts,
    title: str,
    names: Sequence[str],
    now: HotTrial,
    chosen: HotTrial,
    trials: Sequence[HotTrial],
    engine: str,
) -> Finding:
    if chosen.without:
        because = f"the index {chosen.without} holds a column that they change"
        fix = f"-- must {chosen.without} hold a column that is updated so often?"
    else:
        because = f"at a fill factor of {chosen.fill_percent} there would be room on the page"
        fix = of_table(
            conn, f"alter table {{}} set (fillfactor = {chosen.fill_percent});", table.schema, table.name
        )
    facts = {
        "updated": now.updated,
        "columns": list(names),
        "now": _facts(now),
        "trials": [_facts(each) for each in trials],
    }
    return Finding(
        AREA,
        HOT,
        "info",
        title,
        f"{title}: {percent(now.share)} of the workload's updates are HOT, {percent(chosen.share)} would "
        f"be: {because}",
        _WHY,
        fix,
        verified=True,
        evidence=(
            Evidence(
                "updates-tried",
                f"{now.updated} updates of {', '.join(names)} on a copy: {percent(now.share)} HOT, "
                f"{in_bytes(now.wal_bytes)} of WAL, table {in_bytes(now.table_bytes)} as it is; "
                f"{percent(chosen.share)} HOT, {in_bytes(chosen.wal_bytes)} of WAL, table "
                f"{in_bytes(chosen.table_bytes)} then. Triggers and foreign keys were left out.",
                engine,
                facts,
            ),
        ),
    )


def _facts(trial: HotTrial) -> dict[str, object]:
    return {
        "fill_percent": trial.fill_percent,
        "without_index": trial.without,
        "hot_share": round(trial.share, 4),
        "wal_bytes": trial.wal_bytes,
        "table_bytes": trial.table_bytes,
        "index_bytes": trial.index_bytes,
    }
