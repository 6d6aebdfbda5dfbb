"""Values for a column that satisfy what is asked of it: its type's, variants of one that does, or a few."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import psycopg2
from psycopg2 import sql

from workbench.catalog.model import Column
from workbench.proof.constraints.search import Condition, RowSearch
from workbench.proof.rows.values import Kind, chance, seed_of, value

_TRIED = 64
ENOUGH = 0.05  # of the values tried: so many can be drawn until enough are found
_LITERALS = 40
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


Making = Callable[[sql.Composable], sql.Composable]  # of a number, a bigint from 0, a value


@dataclass(frozen=True)
class Source:
    """A column's values by their number. *several* is about how many different ones there are.

    *share* of those tried satisfied what was asked of them.
    """

    make: Making
    several: int
    share: float = 1.0


def kind_of(search: RowSearch, column: Column, conditions: Sequence[Condition] = ()) -> Kind:
    """The type of *column*, with the bounds that the literals of *conditions* suggest."""
    domain = search.setting.domain(column)
    plain = domain.plain_type if domain else column.base_type
    about = [each for each in conditions if column.name in each.columns]
    numbers = [number for each in about if len(each.columns) == 1 for number in each.literals.numbers]
    days = sorted(text for each in about for text in each.literals.strings if _DAY.match(text))
    return Kind(
        full=search.setting.literal_type(column),
        plain=plain,
        labels=column.enum_labels,
        lowest=min(numbers, default=None),
        highest=max(numbers) if len(set(numbers)) > 1 else None,
        days=(days[0], days[-1]) if len(days) > 1 else None,
    )


def source(
    search: RowSearch,
    column: Column,
    conditions: Sequence[Condition],
    seed: int,
    *,
    width: int = 24,
    known: Sequence[str] = (),
) -> Source | None:
    """Values of *column* that mostly satisfy the *conditions* on it alone; None where none do."""
    alone = [each for each in conditions if set(each.columns) == {column.name}]
    kind = replace(kind_of(search, column, conditions), width=width)
    literals = [*known, *_literals(search, column, alone)]
    best: tuple[float, Source] | None = None
    for found in _sources(kind, seed, literals, known):
        share = share_of(search, column, found.make, alone)
        if share >= ENOUGH:
            return replace(found, share=share)
        if share and (best is None or share > best[0]):
            best = share, replace(found, share=share)
    if best:
        return best[1]
    return _listed(kind, literals) if literals else None


def _literals(search: RowSearch, column: Column, conditions: Sequence[Condition]) -> list[str]:
    """Some values of the column that the conditions let pass, found among candidates."""
    candidates = [each for each in search.candidates(column, conditions) if each is not None]
    if not conditions:
        return candidates[:_LITERALS]
    rows = search.find({}, {column.name: list(candidates)}, kept=conditions, limit=_LITERALS)
    return [text for row in rows if (text := row[column.name]) is not None]


def _sources(kind: Kind, seed: int, literals: Sequence[str], known: Sequence[str]) -> Iterator[Source]:
    """Ways to make values: as the type has them, and for texts as variants of the literals."""
    if kind.labels:
        yield _listed(kind, [label for label in kind.labels if label in literals] or kind.labels)
        return
    for one in (kind, *_shifted(kind)):
        if value(one, sql.SQL("0"), seed, literals) is not None:
            yield Source(partial(_value, one, seed, literals), 2 if kind.plain == "boolean" else 2**31)
    if kind.plain in ("text", "character varying", "character", "name") or "citext" in kind.plain:
        for literal in [*known, *sorted(literals, key=len, reverse=True)[:8]]:
            yield from _variants(kind, literal)


def _value(kind: Kind, seed: int, literals: Sequence[str], index: sql.Composable) -> sql.Composable:
    return value(kind, index, seed, literals) or sql.SQL("null")


def _listed(kind: Kind, literals: Sequence[str]) -> Source:
    listed = Kind(kind.full, kind.plain, tuple(literals))
    return Source(partial(_value, listed, 0, ()), len(literals))


def _shifted(kind: Kind) -> Iterator[Kind]:
    """The same type with other bounds, for where the first ones let nothing pass."""
    if kind.lowest is None:
        return
    top = kind.highest if kind.highest is not None else kind.lowest
    for low, high in ((top, None), (Decimal(0), top), (top - 1000, top), (Decimal(0), Decimal(1))):
        if high is None or low <= high:
            yield replace(kind, lowest=low, highest=high)


def _variants(kind: Kind, literal: str) -> Iterator[Source]:
    """The literal with a number put in at some place, or with runs of its digits and letters replaced."""
    for place in [*range(1, len(literal) + 1), 0][:24]:
        yield Source(partial(_with_number, kind, literal[:place], literal[place:]), 2**31)
    replaceable = re.findall(r"[0-9]|[A-Z]|[a-z]", literal)
    if replaceable:
        several = 1
        for character in replaceable:
            several = min(2**31, several * (10 if character.isdigit() else 26))
        yield Source(partial(_respelled, kind, literal), several)


def _with_number(kind: Kind, before: str, after: str, index: sql.Composable) -> sql.Composable:
    return sql.SQL("({} || {}::text || {})::{}").format(
        sql.Literal(before), index, sql.Literal(after), sql.SQL(kind.full)
    )


def _respelled(kind: Kind, literal: str, index: sql.Composable) -> sql.Composable:
    """The literal's digits and letters replaced by others, as a number in a mixed base counts up."""
    parts: list[sql.Composable] = []
    divisor = 1
    for character in reversed(literal):
        first, base = _ALPHABETS.get(_alphabet(character), (0, 0))
        if not base or divisor > 2**40:
            parts.append(sql.Literal(character))
            continue
        parts.append(
            sql.SQL("pg_catalog.chr(({} / {} % {} + {})::int)").format(
                index, sql.Literal(divisor), sql.Literal(base), sql.Literal(first)
            )
        )
        divisor *= base
    return sql.SQL("({})::{}").format(sql.SQL(" || ").join(parts[::-1]), sql.SQL(kind.full))


_ALPHABETS = {"digit": (48, 10), "upper": (65, 26), "lower": (97, 26)}


def _alphabet(character: str) -> str:
    if not character.isascii():
        return ""
    return (
        "digit"
        if character.isdigit()
        else "upper"
        if character.isupper()
        else "lower"
        if character.islower()
        else ""
    )


def share_of(search: RowSearch, column: Column, make: Making, conditions: Sequence[Condition]) -> float:
    """The share of the first and of some random values that all *conditions* let pass; 0 where one fails.

    Values are made in a query over *workbench*, which has the row's number n and its share of the rows.
    """
    tried = sql.SQL(
        "select n, n / {last}::float8 as share from pg_catalog.generate_series(0::bigint, {last}) n union all"
        " select (1000000 * {random})::bigint, {random}"
        " from pg_catalog.generate_series(0::bigint, {last}) n"
    ).format(last=sql.Literal(_TRIED - 1), random=chance(sql.SQL("n"), seed_of(column.name)))
    passed = [sql.SQL("({}) is not false").format(each.query) for each in conditions]
    query = sql.SQL(
        "select pg_catalog.count({column}) filter (where {passed})"
        " from (select {made} as {column} from ({tried}) as workbench) as {table}"
    ).format(
        column=sql.Identifier(column.name),
        passed=sql.SQL(" and ").join(passed) if passed else sql.SQL("true"),
        made=make(sql.SQL("workbench.n")),
        tried=tried,
        table=sql.Identifier(search.table.name),
    )
    search.conn.execute("savepoint workbench_share")
    try:
        row = search.conn.execute(query).fetchone()
    except psycopg2.Error as exc:
        if search.conn.closed or isinstance(exc, psycopg2.errors.QueryCanceled):
            raise
        return 0.0
    finally:
        if not search.conn.closed:
            search.conn.execute("rollback to savepoint workbench_share; release savepoint workbench_share")
    return int(row[0]) / (2 * _TRIED) if row else 0.0
