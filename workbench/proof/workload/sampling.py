"""Values for the parameters of statements, from the statistics of the columns that they stand for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pglast import parse_sql
from psycopg2 import sql as composed

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.proof.plans import rolled_back, set_local
from workbench.proof.workload.model import Statement
from workbench.proof.workload.resolve import Refusal, Resolved, resolve
from workbench.proof.workload.scopes import ColumnOf, Relation
from workbench.proof.workload.syntax import runnable
from workbench.proof.workload.uses import Use, table_names, uses_of

SKEWED = 10.0  # a value that many times as frequent as another is planned as a case of its own
_SELDOM = 0.01  # a most common value below that share of the rows is none to tell apart
_LEAST, _MOST = 0.05, 0.5  # of the weight: nothing says that who asks, asks for what is frequent
_LIST = 3  # members of an array whose length nothing says
_GOLDEN = 0.618  # its multiples are spread evenly over 0 to 1, however many there are
_LIMIT = 10
_NEUTRAL = {
    "boolean": "true", "smallint": "1", "integer": "1", "bigint": "1", "numeric": "1", "real": "1",
    "double precision": "1", "text": "x", "character varying": "x", "bpchar": "x", "name": "x",
    "date": "2024-01-01", "timestamp without time zone": "2024-01-01", "json": "{}", "jsonb": "{}",
    "timestamp with time zone": "2024-01-01", "uuid": "00000000-0000-0000-0000-000000000000",
}  # fmt: skip
_SPAN = "7 days"
_NOTHING = {"integer": "0", "bigint": "0", "numeric": "0", "double precision": "0", "interval": "0"}
_CERTAIN = {"array": 0, "equal": 0, "element": 0, "word": 0, "low": 1, "high": 1, "pattern": 1, "piece": 1}

Column = tuple[int, str]
Variant = Literal["typical", "frequent", "rare"]


@dataclass(frozen=True)
class _Values:
    """What pg_stats knows of a column; values are texts, the bounds of a histogram in their order."""

    common: tuple[str, ...]
    frequencies: tuple[float, ...]
    bounds: tuple[str, ...]
    elements: tuple[str, ...]
    null_fraction: float
    values_estimated: float

    def frequent(self) -> tuple[str, float] | None:
        """The most common value and its share of the rows."""
        return (self.common[0], self.frequencies[0]) if self.common else None

    def rare(self) -> tuple[str, float] | None:
        """A value as most others are, with its share of the rows; the least common where all are listed."""
        if self.bounds:
            rest = max(1 - self.null_fraction - sum(self.frequencies), 0.0)
            others = max(self.values_estimated - len(self.common), 1.0)
            return self.quantile(0.5), rest / others
        return (self.common[-1], self.frequencies[-1]) if self.common else None

    def quantile(self, share: float) -> str:
        """The bound below which that *share* of the values of the histogram lies."""
        return self.bounds[round(share * (len(self.bounds) - 1))]

    def typical(self) -> str | None:
        """The value of the middle row, as far as the statistics tell."""
        if not self.bounds or sum(self.frequencies) >= (1 - self.null_fraction) / 2:
            passed = 0.0
            for value, frequency in zip(self.common, self.frequencies, strict=True):
                passed += frequency
                if passed >= sum(self.frequencies) / 2:
                    return value
        return self.quantile(0.5) if self.bounds else None

    def further(self, place: int) -> str | None:
        """The *place*-th value of a list behind its first, spread over the column's."""
        if self.bounds:
            return self.quantile((0.5 + place * _GOLDEN) % 1)
        others = [value for value in self.common if value != self.typical()] or self.common
        return others[(place - 1) % len(others)] if others else None

    def several(self) -> list[str]:
        """A few values apart from each other."""
        found = [self.typical(), *(self.further(place) for place in range(1, _LIST))]
        return list(dict.fromkeys(value for value in found if value is not None))

    def bound(self, share: float) -> str | None:
        if self.bounds:
            return self.quantile(share)
        return self.common[len(self.common) // 2] if self.common else None


def sample_values(conn: Connection, statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """*statements* with values for the parameters of those that have none, from the statistics of *conn*.

    An equality takes the value of the middle row. Where the column's most common value is ten times as
    frequent as a rare one, the statement is there twice, once with either; the common one has the share
    of the weight that it has of the rows, but half at most. A bound of a range leaves a tenth of the
    rows, a pattern begins with a value's first letters, LIMIT is what the statement gave back on average
    (10 where that is unknown), OFFSET 0, an interval 7 days, what is added to another parameter 0. What
    is only given out or written has any value. A statement with a parameter that nothing is known of
    keeps None, and is to be planned generically. No row of a table is read.
    """
    wanting = [each for each in statements if each.values is None]
    types = resolve(conn, [(each.sql, each.search_path) for each in wanting])
    uses = _uses(conn, wanting)
    known = _statistics(conn, [use for found in uses for use in found])
    sampled = iter(
        [
            _sampled(each, found, types[each.sql, each.search_path], known)
            for each, found in zip(wanting, uses, strict=True)
        ]
    )
    made: list[Statement] = []
    for each in statements:
        made += next(sampled) if each.values is None else [each]
    return _accepted(conn, made)


def _accepted(conn: Connection, statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """*statements*, without the values that the server does not take for the parameters' types."""
    keys = [
        (runnable(each).as_string(conn), each.search_path) if each.values else None for each in statements
    ]
    outcomes = resolve(conn, [key for key in keys if key])
    return tuple(
        replace(each, values=None) if key and isinstance(outcomes[key], Refusal) else each
        for each, key in zip(statements, keys, strict=True)
    )


def _uses(conn: Connection, statements: Sequence[Statement]) -> list[list[Use]]:
    trees = [parse_sql(each.sql)[0].stmt for each in statements]
    names: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    for each, tree in zip(statements, trees, strict=True):
        names.setdefault(each.search_path, set()).update(table_names(tree))
    relations = {path: _relations(conn, path, sorted(wanted)) for path, wanted in sorted(names.items())}
    return [uses_of(tree, relations[each.search_path]) for each, tree in zip(statements, trees, strict=True)]


def _relations(
    conn: Connection, path: tuple[str, ...], names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Relation]:
    with rolled_back(conn):
        if path:
            texts = [composed.Identifier(each).as_string(conn) for each in path]
            set_local(conn, {"search_path": ", ".join(texts)})
        return _with_views(conn, sorted(names))


def _with_views(conn: Connection, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Relation]:
    """The tables and views of *names*, and those that the views name in their turn."""
    found: dict[tuple[str, str], Relation] = {}
    asked = set(names)
    while names:
        quoted = {
            composed.Identifier(*(part for part in name if part)).as_string(conn): name for name in names
        }
        rows = sql.fetch(conn, "proof/workload/relations.sql", {"names": list(quoted)})
        behind: set[tuple[str, str]] = set()
        for row in rows:
            view = parse_sql(row["definition"])[0].stmt if row["definition"] else None
            behind.update(table_names(view))
            columns = {name: place for place, name in enumerate(row["columns"])}
            found[quoted[row["name"]]] = Relation(row["oid"], columns, view)
        names = sorted(behind - asked)
        asked |= behind
    return found


def _statistics(conn: Connection, uses: Iterable[Use]) -> Mapping[Column, _Values]:
    columns = sorted(
        {(use.column.relation, use.column.name) for use in uses if use.column and use.column.name}
    )
    if not columns:
        return {}
    asked = {"relations": [each[0] for each in columns], "columns": [each[1] for each in columns]}
    with rolled_back(conn):
        rows = sql.fetch(conn, "proof/workload/column_statistics.sql", asked)
    return {
        (row["relation"], row["column_name"]): _Values(
            tuple(row["common"] or ()),
            tuple(row["frequencies"] or ()),
            tuple(row["bounds"] or ()),
            tuple(row["elements"] or ()),
            row["null_frac"],
            row["values_estimated"],
        )
        for row in rows
    }


@dataclass(frozen=True)
class _Asked:
    """A statement with the best use of each parameter; *windows* are the columns bounded from both sides."""

    statement: Statement
    uses: Sequence[Use | None]
    types: Sequence[str]
    windows: frozenset[tuple[ColumnOf | None, str]]


def _sampled(
    statement: Statement, uses: Sequence[Use], types: Resolved | Refusal, known: Mapping[Column, _Values]
) -> list[Statement]:
    """The statement with values once, or twice where they are skewed; as it is where one has none."""
    if isinstance(types, Refusal):
        return [statement]
    best = _best(uses, known)
    numbers = range(1, len(types.parameter_types) + 1)
    sides = {role: {(use.column, use.alias) for use in uses if use.role == role} for role in ("low", "high")}
    asked = _Asked(
        statement,
        [best.get(number) for number in numbers],
        types.parameter_types,
        frozenset(sides["low"] & sides["high"]),
    )
    skewed = [share for use in best.values() if (share := _skew(use, known)) is not None]
    share = min(max(max(skewed), _LEAST), _MOST) if skewed else 1.0
    variants: dict[Variant, float] = {"frequent": share, "rare": 1 - share} if skewed else {"typical": 1.0}
    made = []
    for variant, part in variants.items():
        values = _values(asked, variant, known)
        if values is None:
            return [statement]
        name = statement.name if variant == "typical" else f"{statement.name}, {variant} value"
        made.append(replace(statement, name=name, weight=statement.weight * part, values=values))
    if len(made) == 2 and made[0].values == made[1].values:
        return [replace(made[0], name=statement.name, weight=statement.weight)]
    return made


def _values(asked: _Asked, variant: Variant, known: Mapping[Column, _Values]) -> tuple[str, ...] | None:
    """A literal for each parameter; None where there is none for one of them."""
    literals = []
    for use, kind in zip(asked.uses, asked.types, strict=True):
        text = _text(use, kind, variant, asked, known) if use else None
        if text is None:
            text = _without_statistics(use, kind)
        if text is None:
            return None
        literals.append(_literal(text, kind))
    return tuple(literals)


def _best(uses: Sequence[Use], known: Mapping[Column, _Values]) -> dict[int, Use]:
    """The use of each parameter that says most of it: a comparison with a column that has statistics."""

    def rank(use: Use) -> tuple[bool, int]:
        return _of(use, known) is None, _CERTAIN.get(use.role, 2 if use.role != "unknown" else 3)

    return {use.number: use for use in sorted(uses, key=rank, reverse=True)}


def _of(use: Use, known: Mapping[Column, _Values]) -> _Values | None:
    return known.get((use.column.relation, use.column.name)) if use.column else None


def _skew(use: Use, known: Mapping[Column, _Values]) -> float | None:
    """The share of the most common value, where it is far more frequent than a rare one."""
    values = _of(use, known)
    if use.role != "equal" or values is None:
        return None
    frequent, rare = values.frequent(), values.rare()
    if frequent is None or rare is None or frequent[0] == rare[0]:
        return None
    told = frequent[1] >= _SELDOM and frequent[1] >= SKEWED * rare[1]
    return frequent[1] if told else None


def _literal(text: str, kind: str) -> str:
    """*text* as a literal of the type *kind*, whatever the session makes of backslashes."""
    if kind == "integer" and text.lstrip("-").isdecimal():
        return text
    quoted = "'" + text.replace("'", "''") + "'"
    return (f"E{quoted}".replace("\\", "\\\\") if "\\" in text else quoted) + f"::{kind}"


def _without_statistics(use: Use | None, kind: str) -> str | None:
    """What a parameter gets that is no column's value, or whose column has no statistics."""
    if use is not None and use.role == "more":
        return _NOTHING.get(kind)
    if kind == "interval":
        return _SPAN
    if use is None or use.role in ("free", "written"):
        return "{}" if kind.endswith("[]") else _NEUTRAL.get(kind)
    return None


def _text(
    use: Use, kind: str, variant: Variant, asked: _Asked, known: Mapping[Column, _Values]
) -> str | None:
    if use.role == "limit":
        return str(_limit(asked.statement))
    if use.role == "offset":
        return "0"
    if use.role == "part":
        return use.column.through if use.column else None
    values = _of(use, known)
    if values is None or use.column is None:
        return None
    found = _value(use, values, kind, variant, (use.column, use.alias) in asked.windows)
    return None if found is None else _through(found, use.column.through)


def _value(use: Use, values: _Values, kind: str, variant: Variant, window: bool) -> str | None:
    """The text of a value; in a *window* both bounds of the column are given."""
    if use.role == "low":
        return values.bound(0.45 if window else 0.9)
    if use.role == "high":
        return values.bound(0.55 if window else 0.1)
    if use.role in ("element", "word") and values.elements:
        return values.elements[min(use.place, len(values.elements) - 1)]
    if use.role == "array" and kind.endswith("[]"):
        return _array(values.elements[:1] or values.several())
    if use.role == "word":
        return None
    if use.role == "pattern":
        return _pattern(values.typical())
    if use.role == "piece":
        return _piece(values.typical())
    if use.place:
        return values.further(use.place)
    found = {"frequent": values.frequent(), "rare": values.rare(), "typical": None}[variant]
    return found[0] if found else values.typical()


def _limit(statement: Statement) -> int:
    observed = statement.observed
    if observed is None or not observed.rows or not observed.calls:
        return _LIMIT
    return max(math.ceil(observed.rows / observed.calls), 1)


def _array(members: Sequence[str]) -> str | None:
    if not members:
        return None
    quoted = ['"' + each.replace("\\", "\\\\").replace('"', '\\"') + '"' for each in members]
    return "{" + ",".join(quoted) + "}"


def _pattern(value: str | None) -> str | None:
    """Values that begin like *value*."""
    if not value:
        return None
    start = "".join("\\" + letter if letter in "\\%_" else letter for letter in value[:4])
    return start + "%"


def _piece(value: str | None) -> str | None:
    """A word of *value*, without what a pattern or a regular expression would take for itself."""
    words = "".join(letter if letter.isalnum() else " " for letter in value or "").split()
    return max(words, key=len)[:8] if words else None


def _through(value: str, function: str) -> str:
    """What of *value* the statement compares: in small letters, its year, its day."""
    if function == "lower":
        return value.lower()
    if function == "upper":
        return value.upper()
    if function == "year":
        return value[:4]
    if function == "month":
        return value[:7] + "-01"
    return value[:10] if function == "day" else value
