"""Statistics of expressions that no index of the source has: ANALYZE on the sampled rows, scaled up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.proof.whatif.sample import Samples
from workbench.proof.whatif.sizing import Sized

_RATIO_FROM = 0.1  # of the rows: from here on ANALYZE takes the number of distinct values to grow with them


def restore_expressions(
    owner: Connection,
    samples: Samples,
    indexes: Mapping[int, Sequence[Mapping[str, Any]]],
    sized: Mapping[int, Sized],
) -> None:
    """Give the expressions among the columns of *indexes* the statistics that ANALYZE would find."""
    restored: list[dict[str, Any]] = []
    for oid, columns in indexes.items():
        expressions = [row for row in columns if row["is_expression"]]
        if expressions:
            restored += _statistics(owner, samples, f"e{oid}", expressions, sized[oid])
    if restored:
        sql.fetch(owner, "proof/whatif/restore_columns.sql", {"columns": json.dumps(restored)})


def _statistics(
    owner: Connection, samples: Samples, name: str, expressions: Sequence[Mapping[str, Any]], sized: Sized
) -> list[dict[str, Any]]:
    first = expressions[0]
    sample = samples.table(first["table_oid"])
    if sample is None:
        return []
    evaluated = composed.Identifier(samples.schema, name)
    try:
        owner.execute(
            composed.SQL("create unlogged table {} as select {} from {} as {}{}").format(
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
            )
        )
    except psycopg2.Error:
        return []
    owner.execute(composed.SQL("analyze {}").format(evaluated))
    found = sql.fetch(
        owner, "proof/whatif/expression_statistics.sql", {"schema": samples.schema, "table": name}
    )
    owner.execute(composed.SQL("drop table {}").format(evaluated))
    by_column = {row["index_column"]: row for row in expressions}
    return [
        {
            **row,
            "schema_name": first["schema_name"],
            "relation_name": first["index_name"],
            "inherited": False,
            "n_distinct": _distinct(row["n_distinct"], samples, by_column[row["column_name"]], sized.rows),
        }
        for row in found
    ]


def _distinct(told: float, samples: Samples, row: Mapping[str, Any], rows: float) -> float:
    """The number of distinct values among all *rows*, as pg_stats has it."""
    groups = samples.groups(row["table_oid"], row["expression"], row["predicate"], rows)
    if groups is None or rows <= 0:
        return told
    return -groups.distinct / rows if groups.distinct > _RATIO_FROM * rows else groups.distinct
