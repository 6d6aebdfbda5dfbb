"""One statement run once with some indexes hidden: dropped in a transaction that is rolled back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from pglast.parser import ParseError, scan
from psycopg2 import sql as composed

from workbench import sql
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection
from workbench.proof.plans import Node, Plan, read_plan, rolled_back
from workbench.proof.workload.model import Statement

_NOT_SHAPE = frozenset(("Startup Cost", "Total Cost", "Plan Rows", "Plan Width"))
_ANALYZE = "analyze, verbose, buffers, wal, timing off, format json"

Name = tuple[str, str]  # schema and name


@dataclass(frozen=True)
class Visible:
    """A set of indexes to run with: all that the copy has but those *hidden*."""

    hidden: frozenset[Name] = frozenset()


@dataclass(frozen=True)
class Run:
    """One execution; see `Side` for the units."""

    plan: Plan = field(repr=False)
    changed_rows: int | None = None
    hot_rows: int | None = None

    @property
    def elapsed_ms(self) -> float:
        return (self.plan.planning_ms or 0.0) + (self.plan.execution_ms or 0.0)


class CannotRun(Exception):
    """The statement cannot be run at all, and why in one line."""


@dataclass
class Copy:
    """The copy that statements are run on, with the indexes that partitions have of their parents'."""

    conn: Connection
    roots: Mapping[str, str] = field(default_factory=dict)

    def read_roots(self) -> None:
        """Learn which partitions' indexes belong to which declared one; again after one is made."""
        self.roots = {
            qualified(row["schema"], row["name"]): qualified(row["root_schema"], row["root_name"])
            for row in sql.fetch(self.conn, "proof/inherited_names.sql")
        }

    def declared(self, plan: Plan) -> tuple[str, ...]:
        """The indexes of the plan by the name of the one that was declared, each once."""
        return tuple(dict.fromkeys(self.roots.get(name, name) for name in plan.indexes_used()))

    @contextmanager
    def hiding(self, visible: Visible, settings: Mapping[str, str]) -> Iterator[None]:
        """A transaction without the hidden indexes, rolled back after the block: their files stay."""
        with rolled_back(self.conn, settings):
            if visible.hidden:
                names = [composed.Identifier(*name) for name in sorted(visible.hidden)]
                self.conn.execute(composed.SQL("drop index {}").format(composed.SQL(", ").join(names)))
            yield

    def running(
        self, statement: Statement, visible: Visible, *, timeout_s: float
    ) -> AbstractContextManager[None]:
        """`hiding` with the settings of *statement*."""
        return self.hiding(visible, _settings(statement, timeout_s))

    def run(self, statement: Statement, visible: Visible, *, timeout_s: float) -> Run:
        """Execute *statement* once; what it writes is undone. Raises psycopg2.Error, CannotRun.

        It is planned before without being timed, so that the time holds no reading of the catalog that
        the dropping of indexes made necessary.
        """
        query = composed.SQL(bound(statement))
        with self.running(statement, visible, timeout_s=timeout_s):
            read_plan(self.conn, "format json", query)
            before = self.counters() if not statement.reads_only else None
            plan = read_plan(self.conn, _ANALYZE, query)
            after = self.counters() if before else None
        if before is None or after is None:
            return Run(plan)
        changed, hot = (now - then for now, then in zip(after, before, strict=True))
        return Run(plan, changed, hot)

    def tidy(self, plan: Plan) -> None:
        """Free the space of what *plan* wrote and was undone, so that the next run finds as much of it."""
        for schema, name in written(plan):
            self.conn.execute(composed.SQL("vacuum {}").format(composed.Identifier(schema, name)))

    def counters(self) -> tuple[int, int]:
        """Rows updated in this transaction so far, and those of them within their page."""
        (row,) = sql.fetch(self.conn, "proof/trials/updated_rows.sql")
        return int(row["updated"]), int(row["hot"])

    def plans(
        self, statements: Sequence[Statement], visible: Visible, *, timeout_s: float
    ) -> list[Plan | str]:
        """The plan of each statement without running it, or why there is none in one line; one transaction.

        A statement without values for its parameters is planned for any.
        """
        found: list[Plan | str] = []
        with self.hiding(visible, {}):
            for statement in statements:
                self.conn.execute("savepoint workbench_planned")
                try:
                    sql.fetch(
                        self.conn,
                        "proof/transaction/set_local.sql",
                        _as_lists(_settings(statement, timeout_s)),
                    )
                    options = "verbose, format json"
                    try:
                        query = bound(statement)
                    except CannotRun:
                        query = statement.sql
                        options += ", generic_plan"
                    found.append(read_plan(self.conn, options, composed.SQL(query)))
                except (psycopg2.Error, ValueError, CannotRun) as exc:
                    if self.conn.closed:
                        raise
                    found.append(_one_line(exc))
                self.conn.execute(
                    "rollback to savepoint workbench_planned; release savepoint workbench_planned"
                )
        return found


def _settings(statement: Statement, timeout_s: float) -> dict[str, str]:
    found = {"statement_timeout": f"{max(1, int(timeout_s * 1000))}ms"}
    if statement.search_path:
        found["search_path"] = ", ".join(
            '"' + name.replace('"', '""') + '"' for name in statement.search_path
        )
    return found


def _as_lists(settings: Mapping[str, str]) -> dict[str, list[str]]:
    return {"names": list(settings), "settings": list(settings.values())}


def _one_line(exc: Exception) -> str:
    primary = exc.diag.message_primary if isinstance(exc, psycopg2.Error) else None
    return " ".join((primary or str(exc)).split())


def bound(statement: Statement) -> str:
    """The statement with its values in place of ``$1`` …. Raises CannotRun where values are missing."""
    try:
        tokens = [token for token in scan(statement.sql) if token.name == "PARAM"]
    except ParseError as exc:
        raise CannotRun(f"it does not parse: {exc}") from exc
    if not tokens:
        return statement.sql
    values = statement.values or ()
    text, end = "", 0
    for token in tokens:
        number = int(statement.sql[token.start + 1 : token.end + 1])
        if not 1 <= number <= len(values):
            raise CannotRun(f"no value is known for its parameter ${number}")
        text += statement.sql[end : token.start] + f"({values[number - 1]})"
        end = token.end + 1
    return text + statement.sql[end:]


def written(plan: Plan) -> tuple[Name, ...]:
    """The tables that a plan writes to itself: schema and name, each once."""
    found = []
    for node in plan.nodes():
        if node["Node Type"] == "ModifyTable":
            for target in node.get("Target Tables", [node]):
                found.append((str(target.get("Schema", "")), str(target.get("Relation Name", ""))))
    return tuple(dict.fromkeys(found))


def shape(plan: Plan) -> str:
    """What a plan does, without what the planner thinks that it costs: equal for plans that do the same."""
    return json.dumps(_shape(plan.root), sort_keys=True)


def _shape(node: Node) -> dict[str, Any]:
    found = {key: value for key, value in node.items() if key not in _NOT_SHAPE and key != "Plans"}
    return {**found, "Plans": [_shape(child) for child in node.get("Plans", ())]}


def reason(exc: BaseException) -> str:
    """Why something failed, in one line, as the server says it."""
    return _one_line(exc) if isinstance(exc, Exception) else str(exc)
