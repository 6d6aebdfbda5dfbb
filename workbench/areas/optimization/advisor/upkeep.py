"""What an index costs by being there: the work of the statements that write, in the planner's units.

The planner prices no maintenance. An entry is priced as the search for its place, as `btcostestimate` does it
(PostgreSQL source, selfuncs.c: a comparison at each step of a binary search, 50 operators a page on the way
down), and one page that is dirtied, at `random_page_cost`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pglast import ast, parse_sql
from pglast.visitors import Visitor

from workbench.proof.plans import Plan

_PAGE_BYTES = 8192
_OPERATORS_A_PAGE = 50.0
_FAN_OUT = 200.0
_ENTRIES_A_VALUE = 8.0  # of a GIN index, whose values are taken apart


@dataclass(frozen=True)
class Writing:
    """What a statement writes: *rows* of a table a call; *columns* are those that an update sets, else None.

    A delete leaves the entries to VACUUM, and is priced as nothing.
    """

    schema: str
    table: str
    rows: float
    columns: frozenset[str] | None = None


@dataclass(frozen=True)
class Prices:
    """The planner's cost settings."""

    random_page_cost: float
    cpu_operator_cost: float


def writings(statement: str, plan: Plan, roots: Mapping[tuple[str, str], tuple[str, str]]) -> list[Writing]:
    """The writes of *statement*, with its tables and rows from *plan*, read with VERBOSE.

    *roots* give a partition's topmost parent.
    """
    found = []
    columns = _set_columns(statement)
    for node in plan.nodes():
        if node["Node Type"] != "ModifyTable" or node.get("Operation") not in ("Insert", "Update", "Merge"):
            continue
        rows = max((float(child["Plan Rows"]) for child in node.get("Plans", ())), default=1.0)
        written = columns if node["Operation"] == "Update" else None
        named = (node.get("Schema", ""), node.get("Relation Name", ""))
        found.append(Writing(*roots.get(named, named), max(rows, 1.0), written))
    return found


class _Targets(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_UpdateStmt(self, _ancestors: Any, node: Any) -> None:  # noqa: N802 - pglast's name
        self.names |= {str(each.name) for each in node.targetList or () if isinstance(each, ast.ResTarget)}


def _set_columns(statement: str) -> frozenset[str]:
    visitor = _Targets()
    visitor(parse_sql(statement))
    return frozenset(visitor.names)


@dataclass(frozen=True)
class Kept:
    """An index as far as its upkeep goes; *columns* are all that it holds or asks for."""

    table: tuple[str, str]
    method: str
    columns: frozenset[str]
    rows: float
    size_bytes: float


def entry_cost(index: Kept, prices: Prices) -> float:
    """The price of one new entry in *index*."""
    if index.method == "brin":
        return prices.cpu_operator_cost * _OPERATORS_A_PAGE
    pages = max(1.0, index.size_bytes / _PAGE_BYTES)
    height = math.ceil(math.log(pages, _FAN_OUT)) if pages > 1 else 0
    comparisons = math.log2(max(2.0, index.rows)) + _OPERATORS_A_PAGE * (height + 1)
    entries = _ENTRIES_A_VALUE if index.method == "gin" else 1.0
    return entries * (prices.random_page_cost + prices.cpu_operator_cost * comparisons)


def upkeep_of(index: Kept, written: Iterable[tuple[float, Writing]], prices: Prices) -> float:
    """What *index* adds to the cost of the workload; *written* are the writes, each with its weight.

    An insert makes an entry, an update one where it sets a column of the index.
    """
    touched = (
        weight * each.rows
        for weight, each in written
        if (each.schema, each.table) == index.table and (each.columns is None or each.columns & index.columns)
    )
    return entry_cost(index, prices) * sum(touched)
