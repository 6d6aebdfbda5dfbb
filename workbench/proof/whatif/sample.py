"""Rows for what statistics do not tell: sampled from the source, or made up from its statistics.

They lie in tables of a schema of their own in the clone, so that expressions and predicates of
candidates can be evaluated on them. Where no row may be read, rows are made of each column's most
common values and histogram, independent of one another: widths and the statistics of expressions over
one column come out right, combinations of columns do not.
"""

from __future__ import annotations

import io
import random
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
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
from workbench.proof.whatif.model import IndexDefinition

PAGE_COLUMN = "workbench_page"
_WIDEST_BYTES = 1000  # a column that is wider on average is not sampled
_MADE_ROWS = 3_000
_MOST_COLUMNS = 1_599  # a table has 1,600, and one is for the page
_MOST_BYTES = 16_000_000
_SEED = 20_231
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_DATE, _DATE_LENGTH = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), 10
_MOST_PARTITIONS, _FEWEST_ROWS = 8, 2_000


@dataclass(frozen=True)
class SampledTable:
    """The sample of a table: *name* in the samples' schema, its rows, and whether they are real ones.

    *distinct* and *correlation* are those of its columns as pg_stats has them.
    """

    name: str
    alias: str
    rows: int
    real: bool
    distinct: Mapping[str, float]
    correlation: Mapping[str, float]


@dataclass(frozen=True)
class Values:
    """An expression on the sampled rows: a code a value, the bytes it takes (0 for null)."""

    codes: Ints
    widths: Ints


@dataclass
class Samples:
    """Samples of the clone's tables, each taken when it is first asked for.

    *source* is read only where it is given. *owner* works in the clone as the owner of its tables,
    *admin* as the superuser, who sees all statistics.
    """

    admin: Connection
    owner: Connection
    schema: str
    source: AnyConnection | None
    sample_rows: int
    lost: list[str] = field(default_factory=list)
    seconds: float = 0.0  # that the tables and their rows took to read
    _columns: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    _rations: dict[int, int] = field(default_factory=dict)
    _tables: dict[int, SampledTable | None] = field(default_factory=dict)
    _values: dict[tuple[int, str, str], Values | None] = field(default_factory=dict)
    _pages: dict[tuple[int, str], Ints] = field(default_factory=dict)

    def table(self, oid: int) -> SampledTable | None:
        """The sample of the table *oid* of the clone; None where there is neither row nor statistic."""
        if oid not in self._tables:
            began = time.monotonic()
            self._tables[oid] = self._take(oid)
            self.seconds += time.monotonic() - began
        return self._tables[oid]

    def describe(self, tables: Collection[int]) -> None:
        """Read of *tables* what must be known to sample them: one query for all of them."""
        unknown = [each for each in tables if each not in self._columns and each not in self._tables]
        if not unknown:
            return
        self._columns.update({each: [] for each in unknown})
        given = {"tables": unknown, "widest": _WIDEST_BYTES}
        for row in sql.fetch(self.admin, "proof/whatif/sampled_columns.sql", given):
            self._columns[row["table_oid"]].append(row)

    def ration(self, partitions: Sequence[int]) -> None:
        """Let *partitions*, the largest first, share the rows of one table; the smallest go without."""
        sampled = partitions[:_MOST_PARTITIONS]
        self._rations.update(dict.fromkeys(sampled, max(_FEWEST_ROWS, self.sample_rows // len(sampled))))
        for oid in partitions[_MOST_PARTITIONS:]:
            self._tables.setdefault(oid, None)

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
        began = time.monotonic()
        try:
            self._evaluate(oid, table, wanted, predicate)
        except psycopg2.Error:
            for each in wanted:
                try:
                    self._evaluate(oid, table, [each], predicate)
                except psycopg2.Error:
                    self._values[oid, each, predicate] = None
        self.seconds += time.monotonic() - began

    def built(self, oid: int, definition: IndexDefinition) -> tuple[int, int, float] | None:
        """The pages of *definition* built on the sample, and on a quarter of its pages; the sampled rows.

        None where there is no sample or the index cannot be built on it.
        """
        table = self.table(oid)
        if table is None:
            return None
        quarter = composed.SQL("{} % 4 = 0").format(composed.Identifier(PAGE_COLUMN)).as_string(self.owner)
        predicate = f"({definition.predicate}) and {quarter}" if definition.predicate else quarter
        pages = []
        for each in (definition.predicate, predicate):
            small = replace(definition, schema=self.schema, table=table.name, predicate=each)
            try:
                self.owner.execute(small.create("built"))
            except psycopg2.Error:
                return None
            name = composed.Identifier(self.schema, "built")
            (size,) = self.owner.execute(
                "select pg_catalog.pg_relation_size(pg_catalog.to_regclass(%s)) / 8192",
                [name.as_string(self.owner)],
            ).fetchone() or (0,)
            self.owner.execute(composed.SQL("drop index {}").format(name))
            pages.append(int(size))
        return pages[0], pages[1], table.rows

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
        self.describe([oid])
        columns = self._columns.pop(oid)[:_MOST_COLUMNS]
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
        real = self._copy(table, names, name, self._wanted(oid, columns))
        rows = real if real is not None else self._make_up(columns, name)
        if not rows:
            return None
        distinct = {row["column_name"]: row["n_distinct"] for row in columns}
        correlation = {row["column_name"]: row["correlation"] for row in columns}
        return SampledTable(name, table["table_name"], rows, real is not None, distinct, correlation)

    def _wanted(self, oid: int, columns: Sequence[Mapping[str, Any]]) -> int:
        """How many rows to read: fewer of wide ones."""
        row_bytes = sum(int(row["width"]) for row in columns) + 1
        return min(self._rations.get(oid, self.sample_rows), max(_FEWEST_ROWS, _MOST_BYTES // row_bytes))

    def _copy(self, table: dict[str, Any], names: Sequence[str], name: str, wanted: int) -> int | None:
        """The rows copied from the source; None where none may be read."""
        if self.source is None or not table["pages"]:
            return None
        a_page = table["rows"] / table["pages"] if table["rows"] > 0 else 50.0
        percent = min(100.0, 100.0 * wanted / max(1.0, a_page) / table["pages"])
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
        told = [row for row in columns if row["common"] or row["bounds"] or row["null_frac"] == 1]
        for row in columns:
            if row not in told:
                self.owner.execute(
                    composed.SQL("alter table {} drop column {}").format(
                        composed.Identifier(self.schema, name), composed.Identifier(row["column_name"])
                    )
                )
        if not told:
            return 0
        chance = random.Random(_SEED)  # noqa: S311 - no secret depends on it
        made = [_made_column(row, chance) for row in told]
        lines = ("\t".join((*cells, str(number))) for number, cells in enumerate(zip(*made, strict=True)))
        return self._load(name, io.BytesIO("\n".join([*lines, ""]).encode()))


def _made_column(row: dict[str, Any], chance: random.Random) -> list[str]:
    """Values of one column as COPY's text, by its most common values' shares, nulls and histogram."""
    cells: list[str] = []
    for value, share in zip(row["common"] or (), row["shares"] or (), strict=False):
        cells += [_escaped(value)] * round(share * _MADE_ROWS)
    cells += ["\\N"] * round((row["null_frac"] or 0.0) * _MADE_ROWS)
    bounds = row["bounds"] or ()
    missing = max(0, _MADE_ROWS - len(cells))
    if bounds:
        steps = max(1, len(bounds) - 1)
        for number in range(missing):
            step = number * steps // missing
            cells.append(_escaped(_between(bounds[step], bounds[min(step + 1, steps)], chance.random())))
    else:
        cells += [_escaped(chance.choice(row["common"])) if row["common"] else "\\N" for _ in range(missing)]
    chance.shuffle(cells)
    return cells[:_MADE_ROWS]


def _between(low: str, high: str, share: float) -> str:
    """A value between two bounds of a histogram, where their text shows what that is; else the lower one."""
    if _NUMBER.fullmatch(low) and _NUMBER.fullmatch(high):
        digits = max(len(each.partition(".")[2]) for each in (low, high))
        return str(round(Decimal(low) + (Decimal(high) - Decimal(low)) * Decimal(share), digits))
    if _DATE.match(low) and _DATE.match(high):
        try:
            begin, end = datetime.fromisoformat(low), datetime.fromisoformat(high)
            between = begin + (end - begin) * share
        except (ValueError, TypeError, OverflowError):
            return low
        return between.isoformat(" ") if len(low) > _DATE_LENGTH else between.date().isoformat()
    return low


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
