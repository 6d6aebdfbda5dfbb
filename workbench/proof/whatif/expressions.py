"""Statistics of expressions that no index of the source has: ANALYZE on the sampled rows, scaled up."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.proof.whatif.sizing import Sized, Sizer, columns_of

_RATIO_FROM = 0.1  # of the rows: from here on ANALYZE takes the number of distinct values to grow with them


def restore_expressions(
    owner: Connection,
    sizer: Sizer,
    indexes: Mapping[int, Sequence[Mapping[str, Any]]],
    sized: Mapping[int, Sized],
) -> None:
    """Give the expressions among the columns of *indexes* the statistics that ANALYZE would find."""
    restored: list[dict[str, Any]] = []
    for oid, columns in indexes.items():
        expressions = [row for row in columns if row["is_expression"]]
        if expressions:
            restored += _statistics(owner, sizer, f"e{oid}", expressions, sized[oid])
    if restored:
        sql.fetch(owner, "proof/whatif/restore_columns.sql", {"columns": json.dumps(restored)})


def _statistics(
    owner: Connection, sizer: Sizer, name: str, expressions: Sequence[Mapping[str, Any]], sized: Sized
) -> list[dict[str, Any]]:
    first, samples = expressions[0], sizer.samples
    sample = samples.table(first["table_oid"])
    if sample is None:
        return []
    evaluated = composed.Identifier(samples.schema, name)
    along = None if sample.real else _only_column(first)
    try:
        owner.execute(
            composed.SQL("create unlogged table {} as select {} from {} as {}{}{}").format(
                evaluated,
                composed.SQL(", ").join(
                    composed.SQL("{} as {}").format(
                        composed.SQL(row["expression"]), composed.Identifier(row["index_column"])
                    )
                    for row in expressions
                ),
                composed.Identifier(samples.schema, sample.name),
                composed.Identifier(sample.alias),
                composed.SQL(" where ") + composed.SQL(first["predicate"])
                if first["predicate"]
                else composed.SQL(""),
                composed.SQL(" order by ") + composed.Identifier(along) if along else composed.SQL(""),
            )
        )
    except psycopg2.Error:
        return []
    owner.execute(composed.SQL("analyze {}").format(evaluated))
    found = sql.fetch(
        owner, "proof/whatif/expression_statistics.sql", {"schema": samples.schema, "table": name}
    )
    by_column = {row["index_column"]: row for row in expressions}
    told = [
        {
            **row,
            **_scaled(owner, sizer, evaluated, row, by_column[row["column_name"]], sized.rows),
            "schema_name": first["schema_name"],
            "relation_name": first["index_name"],
            "inherited": False,
        }
        for row in found
    ]
    owner.execute(composed.SQL("drop table {}").format(evaluated))
    return told


def _scaled(
    owner: Connection,
    sizer: Sizer,
    evaluated: composed.Identifier,
    found: Mapping[str, Any],
    row: Mapping[str, Any],
    rows: float,
) -> dict[str, Any]:
    """What ANALYZE *found* in the sample, as it holds for all *rows* of the table."""
    sample = sizer.samples.table(row["table_oid"])
    groups = sizer.samples.groups(row["table_oid"], row["expression"], row["predicate"], rows)
    if sample and groups is not None and rows > 0:
        distinct = -groups.distinct / rows if groups.distinct > _RATIO_FROM * rows else groups.distinct
        return {"n_distinct": distinct, **_common(found, distinct, sample.rows, rows)}
    correlation = 0.0
    if sample and (column := _only_column(row)) and found["correlation"] is not None:
        # the rows were put in the order of the column: how the expression follows it, and it the table
        correlation = found["correlation"] * sample.correlation.get(column, 0.0)
    if sizer.is_many_to_one(row):
        return {"correlation": correlation}
    # made-up rows repeat each bound of a histogram: these are bounds, and not common values
    (bounds,) = owner.execute(
        composed.SQL(
            "select pg_catalog.array_agg(v order by v)::text from (select distinct {} from {}) as t(v)"
        ).format(composed.Identifier(found["column_name"]), evaluated)
    ).fetchone() or (None,)
    return {
        "n_distinct": sizer.told(row),
        "most_common_vals": None,
        "most_common_freqs": None,
        "histogram_bounds": bounds,
        "correlation": correlation,
    }


def _only_column(row: Mapping[str, Any]) -> str | None:
    names = columns_of(row["expression"])
    return names[0] if len(names) == 1 else None


def _common(row: Mapping[str, Any], distinct: float, sampled: int, rows: float) -> dict[str, Any]:
    """The most common values that are so in the whole table and not by chance in the sample."""
    shares = row["most_common_freqs"] or []
    kept = _certain([share * sampled for share in shares], distinct, row["null_frac"], sampled, rows)
    if not kept or not row["most_common_list"]:
        return {"most_common_vals": None, "most_common_freqs": None}
    values = row["most_common_list"][:kept]
    return {"most_common_vals": _literal(values), "most_common_freqs": shares[:kept]}


def _certain(counts: Sequence[float], told: float, null_frac: float, sampled: int, rows: float) -> int:
    """How many of the values with these *counts* ANALYZE would keep (analyze_mcv_list of analyze.c)."""
    if sampled >= rows:
        return len(counts)
    distinct = told if told > 0 else -told * rows
    kept, before = len(counts), sum(counts[:-1])
    while kept:
        others = max(0.0, min(1.0, 1 - before / sampled - null_frac))
        if distinct - (kept - 1) > 1:
            others /= distinct - (kept - 1)
        expected = rows * counts[kept - 1] / sampled
        variance = sampled * expected * (rows - expected) * (rows - sampled) / (rows**2 * (rows - 1))
        if counts[kept - 1] > others * sampled + 2 * math.sqrt(max(0.0, variance)) + 0.5:
            break
        kept -= 1
        if kept:
            before -= counts[kept - 1]
    return kept


def _literal(values: Sequence[str]) -> str:
    """An array literal of *values*."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
