"""The rows and the size that a candidate would have, by its sample where there is one, else by statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from pglast import parse_sql
from pglast.visitors import Visitor

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.proof.whatif import sizes
from workbench.proof.whatif.distinct import Groups, combined, sampled_groups, spread, with_heavy
from workbench.proof.whatif.model import IndexDefinition
from workbench.proof.whatif.sample import Samples
from workbench.proof.whatif.sizes import Column, Size

_UNKNOWN_WIDTH, _UNKNOWN_DISTINCT = 32, 200  # what the planner takes where it knows nothing
_ENOUGH = 30  # sampled rows that satisfy a predicate: from here on they tell its share
_ONE_TO_ONE = 0.9
_FEW_ROWS = 1_000
_LONG_HEADER = 3  # an evaluated value has a header of four bytes, which an index stores as one


@dataclass(frozen=True)
class Sized:
    """What an index would have: *rows*, and *groups* of them with equal keys."""

    size: Size
    rows: float
    groups: Groups


@dataclass(frozen=True)
class Bound:
    """A set of columns that has at most *most* different values; of a whole unique key exactly as many."""

    columns: frozenset[str]
    most: float
    is_unique: bool


@dataclass
class Sizer:
    """Sizes indexes of one clone; what was counted for a set of columns is counted once."""

    admin: Connection
    samples: Samples
    _groups: dict[tuple[int, str, frozenset[str]], Groups] = field(default_factory=dict)
    _bounds: dict[int, list[Bound]] = field(default_factory=dict)

    def prepare(self, indexes: Mapping[int, Sequence[Mapping[str, Any]]]) -> None:
        """Read what the *indexes*, by oid their columns, need: a query a table and predicate."""
        wanted: dict[tuple[int, str], dict[str, None]] = {}
        of_interest = {oid: each for oid, each in indexes.items() if self._needs_rows(each)}
        self.samples.describe({each[0]["table_oid"] for each in of_interest.values()})
        for columns in of_interest.values():
            table, predicate = columns[0]["table_oid"], columns[0]["predicate"]
            asked = wanted.setdefault((table, predicate), {})
            asked.update(dict.fromkeys(row["expression"] for row in columns))
            for row in columns:
                if row["is_expression"]:
                    names = [_quoted(each) for each in columns_of(row["expression"])]
                    wanted.setdefault((table, ""), {}).update(dict.fromkeys([row["expression"], *names]))
        for (table, predicate), expressions in wanted.items():
            self.samples.read(table, list(expressions), predicate)
        unknown = {each[0]["table_oid"] for each in indexes.values()} - self._bounds.keys()
        if unknown:
            self._bounds.update({table: [] for table in unknown})
            for row in sql.fetch(self.admin, "proof/whatif/distinct_bounds.sql", {"tables": list(unknown)}):
                if row["is_whole"]:
                    bound = Bound(frozenset(row["columns"]), row["most"], row["kind"] == "unique")
                    self._bounds[row["table_oid"]].append(bound)

    def _needs_rows(self, columns: Sequence[Mapping[str, Any]]) -> bool:
        """Whether statistics alone do not tell the size: not for a small table, nor for fixed lengths."""
        first = columns[0]
        told = all(row["length"] > 0 for row in columns) and first["method"] in ("btree", "hash", "brin")
        plain = not first["predicate"] and not any(row["is_expression"] for row in columns)
        few = first["table_rows"] < _FEW_ROWS
        return not (plain and (few or (told and self.samples.source is None)))

    def sized(
        self, definition: IndexDefinition, columns: Sequence[Mapping[str, Any]], fraction: float
    ) -> Sized:
        """An index by its *columns*; *fraction* is the planner's guess of the rows in a partial one."""
        first = columns[0]
        rows = first["table_rows"] * self._share(first, fraction)
        keys = [row for row in columns if row["is_key"]]
        groups = self._keys(keys, rows)
        described = [self._column(row) for row in columns]
        length = max(len(each.widths) for each in described)
        described = [_lengthened(each, length) for each in described]
        key_columns, included = described[: len(keys)], described[len(keys) :]
        if first["method"] == "btree":
            size = sizes.btree(groups, key_columns, included, unique=first["is_unique"])
        elif first["method"] == "hash":
            size = sizes.hash_index(groups)
        elif first["method"] == "brin":
            width = sum(float(each.widths.mean()) for each in key_columns)
            size = sizes.brin(first["table_pages"], width)
        else:
            built = self._by_building(definition, first)
            size = built or sizes.btree(spread(rows, rows), key_columns, included, unique=True)
        return Sized(size, rows, groups)

    def height(self, pages: int, columns: Sequence[Mapping[str, Any]]) -> int:
        """The height of an existing B-tree that has *pages*."""
        keys = [_by_statistics(row) for row in columns if row["is_key"]]
        rows = max(1.0, columns[0]["table_rows"])
        groups = self._by_statistics([row for row in columns if row["is_key"]], rows)
        key_bytes = float(sizes.tuple_bytes(keys).mean())
        return sizes.btree_height(pages, sizes.pivot_bytes(groups, pages, key_bytes))

    def _by_building(self, definition: IndexDefinition, first: Mapping[str, Any]) -> Size | None:
        """A GIN, GiST or SP-GiST index by what it takes on the sample; None where none can be built."""
        built = self.samples.built(first["table_oid"], definition)
        if built is None:
            return None
        pages, quarter, sampled = built
        factor = max(1.0, first["table_rows"] / sampled)
        if first["method"] != "gin":  # an entry a row
            return Size(math.ceil(pages * factor))
        # entries are shared by rows: growth as a power is too little, growth by a line is too much
        growth = math.log(max(pages, 1) / max(quarter, 1)) / math.log(4)
        power = pages * factor ** min(1.0, max(0.0, growth))
        line = pages + (pages - quarter) / 0.75 * (factor - 1)
        return Size(math.ceil(math.sqrt(power * max(line, power))))

    def _share(self, first: Mapping[str, Any], fraction: float) -> float:
        """The share of the rows that a partial index has."""
        if not first["predicate"]:
            return 1.0
        sample = self.samples.table(first["table_oid"])
        if sample and sample.real:
            matching = len(self.samples.pages(first["table_oid"], first["predicate"]))
            if matching >= _ENOUGH or sample.rows >= first["table_rows"]:
                return matching / sample.rows
        return fraction

    def _keys(self, keys: Sequence[Mapping[str, Any]], rows: float) -> Groups:
        table, predicate = keys[0]["table_oid"], keys[0]["predicate"]
        names = frozenset(row["expression"] for row in keys)
        found = self._groups.get((table, predicate, names))
        if found is None:
            found = self._counted(keys, names, rows)
            self._groups[table, predicate, names] = found
        return found

    def _counted(self, keys: Sequence[Mapping[str, Any]], names: frozenset[str], rows: float) -> Groups:
        table, predicate = keys[0]["table_oid"], keys[0]["predicate"]
        bounds = self._bounds.get(table, [])
        if keys[0]["is_unique"] or any(each.is_unique and each.columns <= names for each in bounds):
            return spread(rows, rows)
        values = [self.samples.values(table, row["expression"], predicate) for row in keys]
        known = [each for each in values if each is not None]
        sample = self.samples.table(table) if known else None
        if sample and sample.real and len(known) == len(values) and len(known[0].codes):
            codes = combined([each.codes for each in known])
            return sampled_groups(codes, self.samples.pages(table, predicate), rows)
        return self._by_statistics(keys, rows)

    def _by_statistics(self, keys: Sequence[Mapping[str, Any]], rows: float) -> Groups:
        distinct = [self._distinct(row, rows) for row in keys]
        if len(keys) == 1 and not keys[0]["predicate"]:
            null = keys[0]["null_frac"]
            return with_heavy(rows, max(1.0, distinct[0] + (null > 0)), [*keys[0]["shares"], null])
        product = math.prod(distinct)
        return spread(rows, max(1.0, product * -math.expm1(-rows / product) if len(keys) > 1 else product))

    def _distinct(self, row: Mapping[str, Any], rows: float) -> float:
        """The distinct values of a key among *rows*, no more and no less than the table's keys allow."""
        told, all_rows = self.told(row), max(row["table_rows"], rows, 1.0)
        found = told if told > 0 else -told * all_rows if told < 0 else _UNKNOWN_DISTINCT
        for each in self._bounds.get(row["table_oid"], []):
            if each.columns == {row["expression"]}:
                found = all_rows if each.is_unique else min(found, each.most)
        present = max(1.0, all_rows * (1 - row["null_frac"]))
        found = max(1.0, min(found, present))
        if rows < present:  # those of a value that has present / found rows
            found *= 1 - (1 - rows / present) ** (present / found)
        return max(1.0, min(float(found), rows))

    def told(self, row: Mapping[str, Any]) -> float:
        """The distinct values of a key as pg_stats has it: 0 for unknown, negative for a share of the rows.

        An expression without statistics has those of its columns, unless values made of their histograms
        show that it maps many to one.
        """
        table = self.samples.table(row["table_oid"]) if row["is_expression"] else None
        if row["n_distinct"] or table is None:
            return float(row["n_distinct"])
        if self.is_many_to_one(row):
            values = self.samples.values(row["table_oid"], row["expression"])
            return float(len(np.unique(values.codes))) if values else 0.0
        told = [table.distinct.get(each, 0.0) for each in columns_of(row["expression"])]
        if len(told) == 1:
            return float(told[0])
        return -1.0 if any(each < 0 for each in told) else float(math.prod(told))

    def is_many_to_one(self, row: Mapping[str, Any]) -> bool:
        """Whether an expression has clearly fewer values than its columns, as far as the sample shows."""
        names = [_quoted(each) for each in columns_of(row["expression"])]
        images = self.samples.values(row["table_oid"], row["expression"])
        values = [self.samples.values(row["table_oid"], each) for each in names]
        known = [each.codes for each in values if each is not None]
        if images is None or not known or len(known) < len(names):
            return False
        return bool(len(np.unique(images.codes)) < _ONE_TO_ONE * len(np.unique(combined(known))))

    def _column(self, row: Mapping[str, Any]) -> Column:
        sampled = self.samples.values(row["table_oid"], row["expression"], row["predicate"])
        if sampled is None or not len(sampled.widths):
            return _by_statistics(row)
        widths = sampled.widths.astype(float)
        if row["is_expression"] and row["length"] < 0:
            widths = np.where((widths > 4) & (widths < 127 + _LONG_HEADER), widths - _LONG_HEADER, widths)
        return Column(row["length"], row["alignment"], widths, row["deduplicates"])


def _by_statistics(row: Mapping[str, Any]) -> Column:
    width = row["length"] if row["length"] > 0 else row["avg_width"] or _UNKNOWN_WIDTH
    return Column(row["length"], row["alignment"], np.array([float(width)]), row["deduplicates"])


def _lengthened(column: Column, length: int) -> Column:
    """The same column with as many sampled rows as the others."""
    if len(column.widths) == length:
        return column
    return Column(column.length, column.alignment, np.resize(column.widths, length), column.deduplicates)


@lru_cache(maxsize=10_000)
def columns_of(expression: str) -> tuple[str, ...]:
    """The columns in the text of an index's expression, as the engine prints it."""
    found: dict[str, None] = {}

    class Columns(Visitor):
        def visit_ColumnRef(self, ancestors: object, node: Any) -> None:  # noqa: N802
            found[node.fields[-1].sval] = None

    Columns()(parse_sql(f"select {expression}"))
    return tuple(found)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
