"""Results as digests: the rows of a query as a multiset and in their order, whatever their number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pglast import ast, parse_sql
from pglast.parser import ParseError
from pglast.visitors import Visitor
from psycopg2 import sql as composed

from workbench.engines.postgres import Connection
from workbench.proof.trials.model import Results
from workbench.proof.trials.runs import Copy, Visible, bound
from workbench.proof.workload.model import Statement

_MODULUS = 1 << 128
_FEWER_DIGITS = -3  # of the 15 that a double precision holds for certain
_OPEN_FUNCTIONS = frozenset(
    ("now", "random", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday",
     "gen_random_uuid", "uuidv4", "uuidv7", "nextval", "txid_current", "pg_current_xact_id",
     "row_number", "rank", "first_value", "last_value", "nth_value", "lag", "lead", "ntile",
     "array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg", "xmlagg",
     "any_value")
)  # fmt: skip


@dataclass
class RowDigest:
    """A file that COPY writes to: a digest of the rows as a multiset, and one of them in their order.

    The multiset's is the sum of the rows' digests modulo 2^128 (an incremental hash by addition: Bellare and
    Micciancio 1997), so that no sorting is needed.
    """

    rows: int = 0
    _sum: int = 0
    _ordered: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))
    _rest: bytes = b""

    def write(self, data: bytes) -> int:
        """Take the next part; in COPY's text format a line feed ends a row and nothing else."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._sum += int.from_bytes(hashlib.blake2b(line, digest_size=16).digest())
            self._ordered.update(line + b"\n")
        self.rows += len(lines)
        return len(data)

    @property
    def multiset(self) -> str:
        return f"{self._sum % _MODULUS:032x}"

    @property
    def ordered(self) -> str:
        return str(self._ordered.hexdigest())


def digest(conn: Connection, query: str, *, fewer_digits: bool = False) -> RowDigest:
    """The digest of what *query*, one statement without parameters, gives now; floats as they are or cut."""
    found = RowDigest()
    if fewer_digits:
        conn.execute("select pg_catalog.set_config('extra_float_digits', %s, true)", [str(_FEWER_DIGITS)])
    copied = composed.SQL("copy (\n{}\n) to stdout").format(composed.SQL(query))
    with conn.cursor() as cur:
        cur.copy_expert(copied, found)
    return found


class _Openings(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def visit_SelectStmt(self, ancestors: Any, node: ast.SelectStmt) -> None:  # noqa: N802  # called by name
        if node.limitCount is not None or node.limitOffset is not None:
            self.found.append("a LIMIT where rows tie in the order, or without one")
        if any(each is not None for each in node.distinctClause or ()):
            self.found.append("DISTINCT ON where rows tie in the order")

    def visit_FuncCall(self, ancestors: Any, node: ast.FuncCall) -> None:  # noqa: N802  # called by name
        name = str(getattr((node.funcname or ("",))[-1], "sval", ""))
        if name in _OPEN_FUNCTIONS:
            self.found.append(f"{name}()")

    def visit_SQLValueFunction(  # noqa: N802  # called by name
        self, ancestors: Any, node: ast.SQLValueFunction
    ) -> None:
        self.found.append("the current time or user")


def left_open_by(query: str) -> tuple[str, ...]:
    """What in *query* can leave open which rows it gives, in words: each once, none where nothing does."""
    try:
        tree = parse_sql(query)
    except ParseError:
        return ()
    visitor = _Openings()
    visitor(tree)
    return tuple(dict.fromkeys(visitor.found))


def compared(
    copy: Copy, statement: Statement, without: Visible, with_change: Visible, timeout_s: Callable[[], float]
) -> Results:
    """Whether *statement* gives the same rows with both sets of indexes. Raises psycopg2.Error.

    Where they differ it is asked why: floating-point sums in another order of addition (compared again to 12
    digits), a statement that differs from itself, or one that leaves open which rows it gives.
    """

    def of(visible: Visible, *, fewer_digits: bool = False) -> RowDigest:
        with copy.running(statement, visible, timeout_s=timeout_s()):
            return digest(copy.conn, bound(statement), fewer_digits=fewer_digits)

    before, after = of(without), of(with_change)
    in_order = before.ordered == after.ordered
    if before.multiset == after.multiset:
        return Results("equal", before.rows, before.multiset, in_order)
    if before.rows == after.rows:
        cut = of(without, fewer_digits=True), of(with_change, fewer_digits=True)
        if cut[0].multiset == cut[1].multiset:
            same_order = cut[0].ordered == cut[1].ordered
            why = "floating-point sums depend on the order of addition"
            return Results("equal to 12 digits", before.rows, cut[0].multiset, same_order, why)
    if of(without).multiset != before.multiset:
        return Results("left open", before.rows, why="the statement differs from itself from run to run")
    if openings := left_open_by(statement.sql):
        return Results("left open", before.rows, why=f"the statement leaves its rows open by {openings[0]}")
    return Results(
        "different",
        before.rows,
        why=f"the rows differ: {before.rows:,} without, {after.rows:,} with the change",
    )
