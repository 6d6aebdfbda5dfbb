"""Rows for what statistics do not tell: sampled from the source, or made up from its statistics.

They lie in tables of a schema of their own in the clone, so that expressions and predicates of
candidates can be evaluated on them. Where no row may be read, rows are made of each column's most
common values and histogram, independent of one another: widths and the statistics of expressions over
one column come out right, combinations of columns do not.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import psycopg2
from psycopg2 import sql as composed
from psycopg2.extensions import connection as AnyConnection

from workbench import sql
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection
from workbench.proof.whatif.distinct import Groups, Ints, combined, sampled_groups

PAGE_COLUMN = "workbench_page"
_WIDEST_BYTES = 1000  # a column that is wider on average is not sampled
_MADE_ROWS = 10_000
_SEED = 20_231


@dataclass(frozen=True)
class SampledTable:
    """The sample of a table: *name* in the samples' schema, its rows, and whether they are real ones."""

    name: str
    alias: str
    rows: int
    real: bool
    columns: frozenset[str]


@dataclass(frozen=True)
class Values:
    """An expression on the sampled rows: a code a value, the bytes it takes (0 for null)."""

    codes: Ints
    widths: Ints


@dataclass
class Samples:
    """Samples of the clone's tables, each taken when it is first asked for.

    *source* is read only where it is given. *owner* works in the clone as the owner of its tables.
    """

    owner: Connection
    schema: str
    source: AnyConnection | None
    sample_rows: int
    lost: list[str] = field(default_factory=list)
    _tables: dict[int, SampledTable | None] = field(default_factory=dict)
    _values: dict[tuple[int, str, str], Values | None] = field(default_factory=dict)
    _pages: dict[tuple[int, str], Ints] = field(default_factory=dict)

    def table(self, oid: int) -> SampledTable | None:
        """The sample of the table *oid* of the clone; None where there is neither row nor statistic."""
        if oid not in self._tables:
            self._tables[oid] = self._take(oid)
        return self._tables[oid]

    def pages(self, oid: int, predicate: str = "") -> Ints:
        """The page of each sampled row that satisfies *predicate*; `read` it first."""
        return self._pages[oid, predicate]

    def values(self, oid: int, expression: str, predicate: str = "") -> Values | None:
        """An expression on the rows that satisfy *predicate*; None where it cannot be evaluated."""
        return self._values.get((oid, expression, predicate))

    def groups(self, oid: int, expression: str, predicate: str, rows: float) -> Groups | None:
        """An expression's groups among *rows* rows; None where no real rows tell."""
        table, found = self.table(oid), self.values(oid, expression, predicate)
        if table is None or not table.real or found is None or not len(found.codes):
            return None
        return sampled_groups(combined([found.codes]), self.pages(oid, predicate), rows)

    def read(self, oid: int, expressions: Sequence[str], predicate: str = "") -> None:
        """Evaluate *expressions* of the table *oid*, all of them in one query."""
        table = self.table(oid)
        wanted = [each for each in expressions if (oid, each, predicate) not in self._values]
        if table is None or not (wanted or (oid, predicate) not in self._pages):
            return
        try:
            self._evaluate(oid, table, wanted, predicate)
        except psycopg2.Error:
            for each in wanted:
                try:
                    self._evaluate(oid, table, [each], predicate)
                except psycopg2.Error:
                    self._values[oid, each, predicate] = None

    def _evaluate(self, oid: int, table: SampledTable, expressions: Sequence[str], predicate: str) -> None:
        selected: list[composed.Composable] = [composed.Identifier(PAGE_COLUMN)]
        for each in expressions:
            value = composed.SQL("({})").format(composed.SQL(each))
            selected += [
                composed.SQL('coalesce(pg_catalog.hashtextextended({}::text collate "C", 0), 0)').format(
                    value
                ),
                composed.SQL("coalesce(pg_catalog.pg_column_size({}), 0)").format(value),
            ]
        query = composed.SQL("copy (select {} from {} as {}{} order by {}.ctid) to stdout").format(
            composed.SQL(", ").join(selected),
            composed.Identifier(self.schema, table.name),
            composed.Identifier(table.alias),
            composed.SQL(" where ") + composed.SQL(predicate) if predicate else composed.SQL(""),
            composed.Identifier(table.alias),
        )
        text = io.BytesIO()
        with self.owner.cursor() as cur:
            cur.copy_expert(query, text)
        text.seek(0)
        width = 1 + 2 * len(expressions)
        if text.getbuffer().nbytes:
            found = pd.read_csv(text, sep="\t", header=None, dtype=np.int64).to_numpy()
        else:
            found = np.empty((0, width), dtype=np.int64)
        self._pages[oid, predicate] = found[:, 0]
        for number, each in enumerate(expressions):
            codes, widths = found[:, 1 + 2 * number], found[:, 2 + 2 * number]
            self._values[oid, each, predicate] = Values(codes, widths)

    def _take(self, oid: int) -> SampledTable | None:
        columns = sql.fetch(
            self.owner, "proof/whatif/sampled_columns.sql", {"table": oid, "widest": _WIDEST_BYTES}
        )
        if not columns:
            return None
        table = columns[0]
        name = f"t{oid}"
        self.owner.execute(
            composed.SQL("create unlogged table {} as select {}, null::bigint as {} from {} limit 0").format(
                composed.Identifier(self.schema, name),
                composed.SQL(", ").join([composed.Identifier(row["column_name"]) for row in columns]),
                composed.Identifier(PAGE_COLUMN),
                composed.Identifier(table["schema_name"], table["table_name"]),
            )
        )
        names = [row["column_name"] for row in columns]
        real = self._copy(table, names, name)
        rows = real if real is not None else self._make_up(columns, name)
        if not rows:
            return None
        return SampledTable(name, table["table_name"], rows, real is not None, frozenset(names))

    def _copy(self, table: dict[str, Any], names: Sequence[str], name: str) -> int | None:
        """The rows copied from the source; None where none may be read."""
        if self.source is None or not table["pages"]:
            return None
        a_page = table["rows"] / table["pages"] if table["rows"] > 0 else 50.0
        percent = min(100.0, 100.0 * self.sample_rows / max(1.0, a_page) / table["pages"])
        query = composed.SQL(
            "copy (select {}, (ctid::text::point)[0]::bigint from only {} "
            "tablesample system ({}) repeatable ({})) to stdout"
        ).format(
            composed.SQL(", ").join([composed.Identifier(each) for each in names]),
            composed.Identifier(table["schema_name"], table["table_name"]),
            composed.Literal(percent),
            composed.Literal(_SEED),
        )
        text = io.BytesIO()
        try:
            with self.source.cursor() as cur:
                cur.copy_expert(query, text)
        except psycopg2.Error as exc:
            if not self.source.autocommit:
                self.source.rollback()
            where = qualified(table["schema_name"], table["table_name"])
            self.lost.append(f"rows of {where}: {(exc.diag.message_primary or str(exc)).strip()}")
            return None
        text.seek(0)
        return self._load(name, text)

    def _load(self, name: str, text: io.BytesIO) -> int:
        with self.owner.cursor() as cur:
            cur.copy_expert(
                composed.SQL("copy {} from stdin").format(composed.Identifier(self.schema, name)), text
            )
            return int(cur.rowcount)

    def _make_up(self, columns: Sequence[dict[str, Any]], name: str) -> int:
        """Rows whose columns follow their statistics, each for itself."""
        if not any(row["common"] or row["bounds"] for row in columns):
            return 0
        chance = random.Random(_SEED)  # noqa: S311 - no secret depends on it
        made = [_made_column(row, chance) for row in columns]
        lines = ("\t".join((*cells, str(number))) for number, cells in enumerate(zip(*made, strict=True)))
        return self._load(name, io.BytesIO("\n".join([*lines, ""]).encode()))


def _made_column(row: dict[str, Any], chance: random.Random) -> list[str]:
    """Values of one column as COPY's text, by its most common values' shares, nulls and histogram."""
    cells: list[str] = []
    for value, share in zip(row["common"] or (), row["shares"] or (), strict=True):
        cells += [_escaped(value)] * round(share * _MADE_ROWS)
    cells += ["\\N"] * round((row["null_frac"] or 0.0) * _MADE_ROWS)
    bounds = row["bounds"] or ()
    missing = max(0, _MADE_ROWS - len(cells))
    if bounds:
        cells += [_escaped(bounds[number * len(bounds) // missing]) for number in range(missing)]
    else:
        cells += [_escaped(chance.choice(row["common"])) if row["common"] else "\\N" for _ in range(missing)]
    chance.shuffle(cells)
    return cells[:_MADE_ROWS]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
