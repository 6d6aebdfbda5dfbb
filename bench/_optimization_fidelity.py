"""What-if against reality: indexes of many shapes on TPC-H, each built, sized and planned with, and dropped.

The clone is asked twice: with the sizes that it predicts, and with the true ones, which shows the planning
alone. A shape is the tree of node types, tables, indexes and kinds of joins. Partial indexes and those on
expressions are built before the one ANALYZE, which an expression's statistics come from, and hidden.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from _optimization_built import Built, BuiltIndex, text

from workbench.engines.postgres import Connection, Server
from workbench.proof.plans import Plan, as_composable, read_plan
from workbench.proof.whatif import IndexDefinition, Key, StatisticsClone, WhatIfIndex, statistics_clone
from workbench.proof.whatif.sizes import PAGE, Size
from workbench.proof.whatif.sizing import Sized
from workbench.proof.workload import Statement

_SEVERAL = {
    "lineitem": (
        "l_partkey l_suppkey, l_suppkey l_partkey, l_orderkey l_suppkey, l_shipdate l_discount, "
        "l_shipdate l_suppkey, l_shipmode l_receiptdate, l_returnflag l_linestatus, "
        "l_receiptdate l_commitdate, "
        "l_suppkey l_shipdate, l_partkey l_quantity, l_shipinstruct l_shipmode, l_discount l_quantity, "
        "l_orderkey l_shipdate, l_commitdate l_orderkey, l_partkey l_shipmode, l_quantity l_shipdate"
    ),
    "orders": (
        "o_custkey o_orderdate, o_orderdate o_custkey, o_orderstatus o_orderdate, "
        "o_orderpriority o_orderdate, "
        "o_clerk o_orderdate, o_custkey o_orderkey, o_orderdate o_orderpriority, o_totalprice o_orderdate"
    ),
    "customer": (
        "c_nationkey c_custkey, c_mktsegment c_custkey, c_nationkey c_mktsegment, c_phone c_acctbal, "
        "c_mktsegment c_nationkey c_acctbal"
    ),
    "part": (
        "p_size p_type, p_brand p_container, p_type p_size p_brand, p_container p_brand p_size, "
        "p_brand p_type"
    ),
    "partsupp": (
        "ps_suppkey ps_partkey, ps_suppkey ps_supplycost, ps_partkey ps_supplycost, ps_availqty ps_suppkey"
    ),
}
_COVERING = (
    ("lineitem", "l_shipdate", "l_extendedprice l_discount l_quantity"),
    ("lineitem", "l_partkey", "l_quantity l_extendedprice"),
    ("lineitem", "l_orderkey", "l_suppkey l_receiptdate l_commitdate"),
    ("lineitem", "l_suppkey l_orderkey", "l_extendedprice l_discount"),
    ("lineitem", "l_receiptdate", "l_shipmode l_commitdate l_shipdate"),
    ("orders", "o_custkey", "o_orderkey o_orderdate"),
    ("orders", "o_orderdate", "o_orderkey o_custkey"),
    ("orders", "o_orderkey", "o_orderdate o_custkey o_shippriority"),
    ("customer", "c_mktsegment", "c_custkey"),
    ("customer", "c_nationkey", "c_custkey c_name"),
    ("part", "p_type", "p_partkey"),
    ("partsupp", "ps_suppkey", "ps_partkey ps_supplycost ps_availqty"),
    ("partsupp", "ps_partkey", "ps_suppkey ps_supplycost"),
)
_PARTIAL = (
    ("lineitem", "l_shipdate", "", "l_returnflag = 'R'"),
    ("lineitem", "l_orderkey", "", "l_commitdate < l_receiptdate"),
    ("lineitem", "l_suppkey", "l_orderkey", "l_receiptdate > l_commitdate"),
    ("orders", "o_orderdate", "o_custkey", "o_orderstatus = 'F'"),
    ("orders", "o_custkey", "", "o_orderdate >= '1995-01-01'"),
    (
        "lineitem",
        "l_partkey",
        "",
        "l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON'",
    ),
    ("part", "p_partkey", "", "p_type like '%BRASS'"),
    ("customer", "c_custkey", "c_acctbal", "c_acctbal > 0.00"),
)
_EXPRESSIONS = (
    ("customer", "substring(c_phone from 1 for 2)"),
    ("customer", "lower(c_name)"),
    ("orders", "extract(year from o_orderdate)"),
    ("orders", "o_totalprice / 1000"),
    ("lineitem", "l_extendedprice * (1 - l_discount)"),
    ("lineitem", "l_receiptdate - l_shipdate"),
    ("part", "p_retailprice - 100 * p_size"),
    ("partsupp", "ps_supplycost * ps_availqty"),
)
# what asks for them, beside the 22 queries
_ASKING = (
    "select count(*) from customer where substring(c_phone from 1 for 2) = '13'",
    "select c_custkey from customer where lower(c_name) = 'customer#000000042'",
    "select sum(o_totalprice) from orders where extract(year from o_orderdate) = 1998 and o_custkey < 1000",
    "select o_orderkey from orders where o_totalprice / 1000 > 450 order by o_totalprice / 1000 desc",
    "select l_orderkey from lineitem where l_extendedprice * (1 - l_discount) > 80000",
    "select count(*) from lineitem where l_receiptdate - l_shipdate = 30 and l_quantity = 50",
    "select p_partkey from part where p_retailprice - 100 * p_size between -4000 and -3900",
    "select ps_partkey from partsupp where ps_supplycost * ps_availqty > 8000000",
    "select extract(year from o_orderdate) as year, count(*) from orders group by 1",
    "select l_shipdate, count(*) from lineitem where l_returnflag = 'R' "
    "and l_shipdate < '1992-03-01' group by 1",
    "select o_custkey from orders where o_orderstatus = 'F' "
    "and o_orderdate between '1994-01-01' and '1994-01-31'",
    "select count(*) from orders where o_custkey between 100 and 300 and o_orderdate >= '1995-01-01'",
    "select c_custkey from customer where c_acctbal > 0.00 and c_custkey between 100 and 2000",
    "select p_partkey from part where p_type like '%BRASS' and p_partkey < 3000",
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Compared:
    """A plan of the clone beside the one with the built index."""

    index: IndexDefinition
    query: str
    equal_shape: bool
    cost_error: float
    used: bool


@dataclass(frozen=True)
class Fidelity:
    """What was compared: sizes by index, plans with true and with predicted sizes."""

    size_errors: Mapping[IndexDefinition, float]
    true: Sequence[Compared]
    predicted: Sequence[Compared]
    special: Sequence[Compared]


@dataclass(frozen=True)
class Truth:
    """An index as it was built: its main fork, its height, its rows, and the plans of the queries with it."""

    index: BuiltIndex
    height: int
    plans: Sequence[Plan]


def plain_definitions() -> list[IndexDefinition]:
    """B-trees on several columns, and covering ones."""
    found = [_index(table, keys) for table, lists in _SEVERAL.items() for keys in lists.split(", ")]
    return found + [_index(table, keys, included) for table, keys, included in _COVERING]


def special_definitions() -> list[IndexDefinition]:
    """The partial ones and those on expressions."""
    found = [_index(table, keys, included, predicate) for table, keys, included, predicate in _PARTIAL]
    return found + [
        IndexDefinition("public", table, (Key(expression, is_expression=True),))
        for table, expression in _EXPRESSIONS
    ]


def _index(table: str, keys: str, included: str = "", predicate: str = "") -> IndexDefinition:
    return IndexDefinition("public", table, tuple(map(Key, keys.split())), tuple(included.split()), predicate)


def single_definitions(conn: Connection) -> list[IndexDefinition]:
    """A B-tree on every column of the six larger tables."""
    rows = conn.execute(
        """
        select c.relname, a.attname
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_class c on c.oid = a.attrelid
        where c.relname = any(%s)
          and c.relnamespace = 'public'::pg_catalog.regnamespace
          and a.attnum > 0
        order by c.relname, a.attnum
        """,
        [["supplier", *_SEVERAL]],
    ).fetchall()
    return [_index(table, column) for table, column in rows]


def measure(
    server: Server,
    conn: Connection,
    queries: Sequence[Statement],
    say: Say,
    *,
    plain: Sequence[IndexDefinition] | None = None,
    partial: Sequence[IndexDefinition] | None = None,
) -> Fidelity:
    """Build and compare. *conn* is a superuser's connection to the filled database without keys.

    *partial* are partial indexes and those on expressions, *plain* the others: by default more than 100.
    """
    server.require_extension("pageinspect")
    conn.execute("create extension if not exists pageinspect")
    asking = [*queries, *(Statement(f"asks {n}", each, "select") for n, each in enumerate(_ASKING, 1))]
    special = Built(conn)
    for number, definition in enumerate(partial or special_definitions(), 1):
        say(f"partial and expression index {number}")
        special.build(definition)
    special.settle()
    plain = plain or [*single_definitions(conn), *plain_definitions()]
    with statistics_clone(conn, server, sample=conn) as clone:
        added = _added(clone, [*plain, *special.indexes])
        truths: dict[IndexDefinition, Truth] = {}
        for number, definition in enumerate(plain, 1):
            say(f"plain index {number} of {len(plain)}")
            truths[definition] = _built(conn, definition, queries)
        predicted = [each for d in plain for each in _compare(clone, added[d], truths[d], queries)]
        compared = []
        for definition, index in special.indexes.items():
            truth = Truth(index, 0, special.plans(asking, [definition]))
            compared += _compare(clone, added[definition], truth, asking)
    with statistics_clone(conn, server, sample=conn) as clone:
        clone._maker.sizer = _TrueSizer(clone._maker.sizer, truths)
        added_true = _added(clone, plain)
        true = [each for d in plain for each in _compare(clone, added_true[d], truths[d], queries)]
    built = {**{d: truths[d].index for d in plain}, **special.indexes}
    errors = {d: added[d].size_bytes / each.size_bytes - 1 for d, each in built.items()}
    special.drop()
    return Fidelity(errors, true, predicted, compared)


class _TrueSizer:
    """A sizer that knows the true sizes."""

    def __init__(self, sizer: Any, truths: Mapping[IndexDefinition, Truth]) -> None:
        self._sizer, self._truths = sizer, truths

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sizer, name)

    def sized(self, definition: IndexDefinition, columns: Any, fraction: float) -> Sized:
        groups = self._sizer.sized(definition, columns, fraction).groups
        truth = self._truths[definition]
        return Sized(Size(truth.index.size_bytes // PAGE, truth.height), truth.index.rows, groups)


def _added(
    clone: StatisticsClone, definitions: Sequence[IndexDefinition]
) -> dict[IndexDefinition, WhatIfIndex]:
    added = clone.add(definitions)
    if added.refused:
        raise RuntimeError(f"the clone refuses {added.refused[0].definition}: {added.refused[0].reason}")
    return {each.definition: each for each in added.indexes}


def _built(conn: Connection, definition: IndexDefinition, queries: Sequence[Statement]) -> Truth:
    """Build one index, look, and drop it."""
    built = Built(conn)
    index = built.build(definition)
    try:
        row = conn.execute("select level from bt_metap(%s)", [f"public.{index.name}"]).fetchone()
        assert row is not None
        plans = [read_plan(conn, "verbose, format json", as_composable(text(each))) for each in queries]
        return Truth(index, row[0], plans)
    finally:
        built.drop()


def _compare(
    clone: StatisticsClone, candidate: WhatIfIndex, truth: Truth, queries: Sequence[Statement]
) -> list[Compared]:
    found = []
    with clone.having([candidate.oid]):
        for query, real in zip(queries, truth.plans, strict=True):
            plan = clone.explain(query.sql)
            names = {candidate.name: "it", truth.index.name: "it"}
            found.append(
                Compared(
                    candidate.definition,
                    query.name,
                    _shape(plan.root, names) == _shape(real.root, names),
                    abs(plan.total_cost / real.total_cost - 1),
                    any(each.get("Index Name") in names for each in (*real.nodes(), *plan.nodes())),
                )
            )
    return found


def _shape(node: Mapping[str, Any], names: Mapping[str, str], depth: int = 0) -> list[tuple[Any, ...]]:
    index = node.get("Index Name")
    found = [
        (
            depth,
            node["Node Type"],
            node.get("Relation Name"),
            names.get(index or "", index),
            node.get("Join Type"),
        )
    ]
    for child in node.get("Plans", ()):
        found += _shape(child, names, depth + 1)
    return found


Row = dict[str, Any]


def rows(found: Fidelity) -> list[Row]:
    """The benchmark's rows."""
    sizes = [abs(each) for each in found.size_errors.values()]
    worst = sorted(found.size_errors.items(), key=lambda each: -abs(each[1]))[:3]
    named = "; ".join(f"{shown(index)} {error:+.0%}" for index, error in worst)
    special = [each for each in found.special if each.used]
    return [
        *_plan_rows("true sizes", found.true),
        *_plan_rows("predicted sizes", found.predicted),
        _row(
            f"what-if cost error, {len(special)} plans with a partial or expression index, mean",
            100 * statistics.fmean(each.cost_error for each in special),
            5.0,
            _worst(special),
        ),
        _row(
            f"what-if index size error, {len(sizes)} indexes, median", 100 * statistics.median(sizes), 5.0, ""
        ),
        _row("what-if index size error, 95th percentile", 100 * float(np.percentile(sizes, 95)), 25.0, named),
    ]


def _plan_rows(what: str, compared: Sequence[Compared]) -> list[Row]:
    equal = 100 * statistics.fmean(each.equal_shape for each in compared)
    differing = [each for each in compared if not each.equal_shape]
    return [
        {
            "benchmark": f"what-if plans of equal shape, {len(compared):,} of built indexes, {what}",
            "value": round(equal, 2),
            "unit": "%",
            "peer": "; ".join(f"query {each.query} with {shown(each.index)}" for each in differing[:3]),
            "peer_value": None,
            "ratio": None,
            "limit": 99.0,
            "ok": equal >= 99.0,
        },
        _row(
            f"what-if cost error, {what}, mean",
            100 * statistics.fmean(each.cost_error for each in compared),
            0.1,
            _worst(compared),
        ),
    ]


def _worst(compared: Sequence[Compared]) -> str:
    worst = max(compared, key=lambda each: each.cost_error)
    return f"largest {worst.cost_error:.1%}: query {worst.query} with {shown(worst.index)}"


def shown(index: IndexDefinition) -> str:
    """An index in a few words."""
    keys = ", ".join(key.text for key in index.keys)
    included = f" include {', '.join(index.included)}" if index.included else ""
    return f"{index.table} ({keys}){included}{f' where {index.predicate}' if index.predicate else ''}"


def _row(benchmark: str, value: float, limit: float, named: str) -> Row:
    return {
        "benchmark": benchmark,
        "value": round(value, 4),
        "unit": "%",
        "peer": named,
        "peer_value": None,
        "ratio": None,
        "limit": limit,
        "ok": value <= limit,
    }
