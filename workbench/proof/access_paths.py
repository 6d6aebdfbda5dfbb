"""Access paths proved by plans: how each key is looked up, and whether a declared query uses its index."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.catalog.model import Catalog, Index, Table, qualified
from workbench.engines.postgres import Connection
from workbench.proof.plans import Plan, as_composable, explain, generic_plan, read_plan, rolled_back

Verdict = Literal["index", "index read through", "small table", "planner's choice", "no index", "not tried"]
LookUpKind = Literal["primary key", "unique key", "referenced row", "referencing rows"]
SMALL_PAGES = 16
_LOOK_UPS_AT_ONCE = 50
_SAMPLED_ROWS = 1000
_CLEARS_STATISTICS = 180_000  # before, an analysed empty table cannot be planned as if it were new
_NO_SEQUENTIAL_SCAN = {"enable_seqscan": "off"}
_ALL_PARTITIONS = {"enable_partition_pruning": "off"}  # a plan for any key would show none of them


@dataclass(frozen=True)
class AccessPath:
    """How rows of *table* are found by *columns*: a key, or a foreign key followed in one of its directions.

    *verdict* is "index" where an index finds the rows, "index read through" where one is used that does not
    begin with the key; for a sequential scan "small table" or "planner's choice" where an index would find
    them, "no index" where none would. *indexes* serve the look-up, or would serve it without sequential
    scans; for a partitioned table they are the parent's where the partitions' indexes belong to one.
    *key* is "sampled" where the look-up was run with a key of the table, "generic" where it was planned for
    any key because there is none. Costs are in the planner's units, *pages* of 8 KB by default.
    """

    table: str
    kind: LookUpKind
    constraint: str
    columns: tuple[str, ...]
    verdict: Verdict
    explanation: str
    indexes: tuple[str, ...] = ()
    key: Literal["sampled", "generic", ""] = ""
    pages: int | None = None
    estimated_rows: float | None = None
    total_cost: float | None = None
    actual_rows: float | None = None
    buffers: int | None = None
    elapsed_ms: float | None = None
    statement: str = ""


class DeclaredQuery(Protocol):
    """A query of the workload, as its owner declares it; *index* is the one that is there for it."""

    @property
    def name(self) -> str: ...
    @property
    def answers(self) -> str: ...
    @property
    def sql(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, str]: ...
    @property
    def index(self) -> str: ...
    @property
    def frequency_per_hour(self) -> int: ...


@dataclass(frozen=True)
class QueryProof:
    """A declared query run once on the copy: the indexes it used, and what is said of the declared one.

    *load_percent* is the share of one core that the query would take at its declared frequency.
    """

    name: str
    answers: str
    index: str
    frequency_per_hour: int
    verdict: Verdict
    explanation: str
    indexes: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    actual_rows: float | None = None
    total_cost: float | None = None
    buffers: int | None = None
    elapsed_ms: float | None = None
    load_percent: float | None = None


@dataclass(frozen=True)
class _LookUp:
    """A look-up to explain: rows of *table* by *columns*, with a key from *source*'s *source_columns*."""

    table: Table
    kind: LookUpKind
    constraint: str
    columns: tuple[str, ...]
    source: Table
    source_columns: tuple[str, ...]


@dataclass(frozen=True)
class _Indexes:
    """The indexes of the database by qualified name, and of a partition's the parent's that it belongs to."""

    known: Mapping[str, Index]
    roots: Mapping[str, str]

    def searched(self, plan: Plan, columns: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The indexes that find *columns* in the plan, and those that are only read through.

        A B-tree finds a key that it begins with; for another it can be read through, or skipped through, at
        a cost that grows. None finds it where a table is read from end to end.
        """
        finding: list[str] = []
        read_through: list[str] = []
        for name, node in plan.index_scans():
            index = self.known.get(name)
            leads = index is None or index.method != "btree" or index.columns[0] in columns
            (finding if leads and node.get("Index Cond") else read_through).append(self.roots.get(name, name))
        if plan.scanned_sequentially() or read_through:
            return (), tuple(dict.fromkeys(read_through))
        return tuple(dict.fromkeys(finding)), ()


def prove_access_paths(conn: Connection, catalog: Catalog, *, limit_s: float = 60) -> list[AccessPath]:
    """The plan of every look-up by a key: primary, unique, and foreign keys in both directions.

    *conn* is an autocommit connection of the tables' owner to a scratch copy; tables that were never
    analysed are analysed, which stays. Look-ups are run where there is a key to look up, else planned for
    any key; from PostgreSQL 18 on, empty tables are planned as if they were new. Partitions are seen
    through their parent. After *limit_s* the rest is named as not tried.
    """
    deadline = time.monotonic() + limit_s
    analyse_new_tables(conn)
    look_ups = list(_look_ups(catalog))
    indexes = _Indexes(_known_indexes(catalog), _roots(conn))
    found = []
    with rolled_back(conn):
        sql.run(conn, ["proof/transaction/operators.sql"])
        pages = _pages(conn)
        if conn.server_version >= _CLEARS_STATISTICS:
            sql.run(conn, ["proof/plan_as_if_new.sql"])
        for look_up, key in zip(look_ups, _sampled_keys(conn, look_ups, deadline), strict=True):
            if time.monotonic() > deadline:
                found.append(_untried(look_up, f"the limit of {limit_s:g} s was reached before it"))
                continue
            found.append(_proved(conn, look_up, key, indexes, pages.get(look_up.table.qualified)))
    return found


def analyse_new_tables(conn: Connection) -> list[str]:
    """Analyse the tables that have pages and no statistics; their qualified names."""
    tables = [(row["schema"], row["name"]) for row in sql.fetch(conn, "proof/never_analysed.sql")]
    if tables:
        names = composed.SQL(", ").join(composed.Identifier(*table) for table in tables)
        conn.execute(composed.SQL("analyze {}").format(names))
    return [qualified(*table) for table in tables]


def _look_ups(catalog: Catalog) -> Iterator[_LookUp]:
    """The look-ups of each base table: by its own keys, and by its foreign keys there and back."""
    for table in catalog.base_tables:
        for constraint in table.constraints:
            if constraint.kind in ("primary key", "unique"):
                kind: LookUpKind = "primary key" if constraint.kind == "primary key" else "unique key"
                yield _LookUp(table, kind, constraint.name, constraint.columns, table, constraint.columns)
        for key in table.foreign_keys:
            referenced = catalog._tables_by_name.get(key.references) if key.references else None
            if referenced:
                yield _LookUp(
                    referenced, "referenced row", key.name, key.referenced_columns, table, key.columns
                )
            yield _LookUp(table, "referencing rows", key.name, key.columns, table, key.columns)


def _known_indexes(catalog: Catalog) -> dict[str, Index]:
    return {qualified(table.schema, index.name): index for table in catalog.tables for index in table.indexes}


def _roots(conn: Connection) -> dict[str, str]:
    """Of a partition's index, the parent's that it belongs to; both by qualified name."""
    return {
        qualified(row["schema"], row["name"]): qualified(row["root_schema"], row["root_name"])
        for row in sql.fetch(conn, "proof/inherited_names.sql")
    }


def _pages(conn: Connection) -> dict[str, int]:
    """The pages of each table, a partitioned one's those of its partitions."""
    return {
        qualified(row["schema"], row["name"]): row["pages"]
        for row in sql.fetch(conn, "proof/table_pages.sql")
    }


def _sampled_keys(
    conn: Connection, look_ups: Sequence[_LookUp], deadline: float
) -> Iterator[tuple[str, ...] | None]:
    """A key for each look-up from the first rows of its source, None where none is complete; some a query."""
    for start in range(0, len(look_ups), _LOOK_UPS_AT_ONCE):
        part = look_ups[start : start + _LOOK_UPS_AT_ONCE]
        if time.monotonic() > deadline:
            yield from [None] * len(part)
            continue
        query = composed.SQL(" union all ").join(_sample(n, look_up) for n, look_up in enumerate(part))
        keys = {n: tuple(key) for n, key in conn.execute(query)}
        yield from (keys.get(n) for n in range(len(part)))


def _sample(number: int, look_up: _LookUp) -> composed.Composable:
    columns = [composed.Identifier(name) for name in look_up.source_columns]
    return composed.SQL(
        "(select {number}, array[{texts}]::text[] from (select {columns} from {table} limit {limit}) as s"
        " where {complete} limit 1)"
    ).format(
        number=composed.Literal(number),
        texts=composed.SQL(", ").join(composed.SQL("{}::text").format(column) for column in columns),
        columns=composed.SQL(", ").join(columns),
        table=composed.Identifier(look_up.source.schema, look_up.source.name),
        limit=composed.Literal(_SAMPLED_ROWS),
        complete=composed.SQL(" and ").join(composed.SQL("{} is not null").format(c) for c in columns),
    )


def _proved(
    conn: Connection,
    look_up: _LookUp,
    key: tuple[str, ...] | None,
    indexes: _Indexes,
    pages: int | None,
) -> AccessPath:
    """The look-up explained, once more without sequential scans where it is read from end to end."""
    statement = _statement(look_up, key)
    path = replace(
        _untried(look_up, ""),
        key="sampled" if key else "generic",
        pages=pages,
        statement=statement.as_string(conn),
    )
    try:
        plan = _explained(conn, look_up, statement, key)
        served, passed = indexes.searched(plan, look_up.columns)
        settled = served or (passed and not plan.scanned_sequentially())
        forced = None if settled else _explained(conn, look_up, statement, key, _NO_SEQUENTIAL_SCAN)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return replace(path, explanation=f"it could not be planned: {exc.diag.message_primary}")
    path = replace(
        path,
        estimated_rows=plan.estimated_rows,
        total_cost=plan.total_cost,
        actual_rows=plan.actual_rows,
        buffers=plan.buffers,
        elapsed_ms=plan.execution_ms,
    )
    if served:
        return replace(path, verdict="index", explanation=_by_index(plan, served), indexes=served)
    if forced is None:
        explanation = f"{_several(passed)} is read or skipped through: it does not begin with the key"
        return replace(path, verdict="index read through", explanation=explanation, indexes=passed)
    would, passed = indexes.searched(forced, look_up.columns)
    verdict, explanation = _unserved(would, passed, pages, plan)
    return replace(path, verdict=verdict, explanation=explanation, indexes=would)


def _untried(look_up: _LookUp, reason: str) -> AccessPath:
    return AccessPath(
        look_up.table.qualified, look_up.kind, look_up.constraint, look_up.columns, "not tried", reason
    )


def _statement(look_up: _LookUp, key: tuple[str, ...] | None) -> composed.Composable:
    values: Iterable[composed.Composable] = (
        (composed.Literal(one) for one in key)
        if key
        else (composed.SQL(f"${n}") for n in range(1, len(look_up.columns) + 1))
    )
    return composed.SQL("select * from {} where {}").format(
        composed.Identifier(look_up.table.schema, look_up.table.name),
        composed.SQL(" and ").join(
            composed.SQL("{} = {}").format(composed.Identifier(name), value)
            for name, value in zip(look_up.columns, values, strict=True)
        ),
    )


def _explained(
    conn: Connection,
    look_up: _LookUp,
    statement: composed.Composable,
    key: tuple[str, ...] | None,
    settings: Mapping[str, str] | None = None,
) -> Plan:
    if key is None:
        any_key = {**_ALL_PARTITIONS, **(settings or {})}
        return generic_plan(conn, statement, len(look_up.columns), settings=any_key)
    return explain(conn, statement, analyze=settings is None, settings=settings)


def _by_index(plan: Plan, served: tuple[str, ...]) -> str:
    filters = any(node.get("Filter") for node in plan.nodes())
    return f"served by {_several(served)}" + (", which leaves rows to filter" if filters else "")


def _unserved(
    would: tuple[str, ...], passed: tuple[str, ...], pages: int | None, plan: Plan
) -> tuple[Verdict, str]:
    """The verdict where no index served, by what the planner does when it may not scan sequentially."""
    if not would:
        instead = f"; {_several(passed)} does not begin with it" if passed else ""
        size = f" ({_pages_text(pages)})" if pages is not None else ""
        return "no index", f"no index can serve it{instead}: the whole table is read{size}"
    serves = f"and {_several(would)} would serve it with sequential scans disabled"
    if pages is not None and pages <= SMALL_PAGES:
        return "small table", f"sequential scan: the table is small ({_pages_text(pages)}), {serves}"
    return "planner's choice", f"sequential scan: {plan.estimated_rows:,.0f} rows are expected, {serves}"


def _pages_text(pages: int) -> str:
    if pages == 0:
        return "empty so far"
    return "1 page" if pages == 1 else f"{pages:,} pages"


def _several(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more"


def prove_workload(conn: Connection, queries: Iterable[DeclaredQuery]) -> list[QueryProof]:
    """Each declared query run on the copy with sampled values, in a transaction that is rolled back.

    It is run twice, and the second run counts, so that no time goes into reading what a busy server has in
    memory. A parameter without a sample value leaves the query untried.
    """
    analyse_new_tables(conn)
    roots = _roots(conn)
    pages = _pages(conn)
    return [_query_proof(conn, query, roots, pages) for query in queries]


def _query_proof(
    conn: Connection, query: DeclaredQuery, roots: Mapping[str, str], pages: Mapping[str, int]
) -> QueryProof:
    proof = QueryProof(
        query.name, query.answers, query.index, query.frequency_per_hour, "not tried", "it was not run"
    )
    try:
        with rolled_back(conn):
            values = {name: _sample_value(conn, statement) for name, statement in query.parameters.items()}
            missing = [name for name, value in values.items() if value is None]
            if missing:
                return replace(proof, explanation=f"there is no sample value for {', '.join(missing)}")
            statement = as_composable(query.sql.rstrip().rstrip(";"))
            read_plan(conn, "analyze, format json", statement, values)
            plan = read_plan(conn, "verbose, format json, analyze, buffers", statement, values)
            forced = explain(conn, statement, values, settings=_NO_SEQUENTIAL_SCAN)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return replace(proof, explanation=f"it could not be run: {exc.diag.message_primary}")
    used = _all_indexes(plan, roots)
    elapsed_ms = plan.execution_ms or 0.0
    verdict, explanation = _on_declared(query.index, used, _all_indexes(forced, roots), plan, pages)
    return replace(
        proof,
        verdict=verdict,
        explanation=explanation,
        indexes=used,
        parameters=values,
        actual_rows=plan.actual_rows,
        total_cost=plan.total_cost,
        buffers=plan.buffers,
        elapsed_ms=elapsed_ms,
        load_percent=elapsed_ms * query.frequency_per_hour / 3_600_000 * 100,
    )


def _sample_value(conn: Connection, statement: str) -> Any:
    """The one value that *statement* gives; None where it gives none."""
    row = conn.execute(statement).fetchone()
    return row[0] if row else None


def _all_indexes(plan: Plan, roots: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(roots.get(name, name) for name in plan.indexes_used()))


def _on_declared(
    index: str, used: tuple[str, ...], forced: tuple[str, ...], plan: Plan, pages: Mapping[str, int]
) -> tuple[Verdict, str]:
    """What the plan says of the index that was declared for the query."""
    if index in used:
        return "index", f"{index} is used"
    scanned = plan.scanned_sequentially()
    instead = (
        f"{_several(used)} instead"
        if used
        else f"{_several(scanned)} from end to end"
        if scanned
        else "nothing"
    )
    if index not in forced:
        return (
            "no index",
            f"{index} is not used, nor would it be without sequential scans: the plan reads {instead}",
        )
    if scanned and all(pages.get(table, SMALL_PAGES + 1) <= SMALL_PAGES for table in scanned):
        return "small table", f"{index} would serve: the plan reads {instead}, and what it scans is small"
    return "planner's choice", f"{index} would serve, but the plan reads {instead}"
