"""Values of every type as SQL expressions of a row's number: the same seed gives the same rows."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from psycopg2 import sql

from workbench.proof.rows.model import ColumnStatistics

_MANTISSA = 2**53 - 1
_NEARLY_ALL = 0.9  # of the rows: so many different values are given to a row each
_CORRELATED = 0.9
_INTEGERS = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
_NUMBERS = (*_INTEGERS, "numeric", "real", "double precision")
_TEXTS = ("text", "character varying", "character", "name", "citext")
_TIMES = ("date", "timestamp without time zone", "timestamp with time zone")
_RANGES = {
    "int4range": "int4range({0}::int, {0}::int + 10)",
    "int8range": "int8range({0}, {0} + 10)",
    "numrange": "numrange({0}, {0} + 10)",
    "daterange": "daterange(date '2020-01-01' + ({0} * 7)::int, date '2020-01-08' + ({0} * 7)::int)",
    "tsrange": "tsrange(timestamp '2020-01-01' + {0} * interval '1 hour',"
    " timestamp '2020-01-01 01:00' + {0} * interval '1 hour')",
    "tstzrange": "tstzrange(timestamptz '2020-01-01 00:00+00' + {0} * interval '1 hour',"
    " timestamptz '2020-01-01 01:00+00' + {0} * interval '1 hour')",
}
_DISTINCT: dict[str, str] = {
    "boolean": "({0} % 2 = 1)",
    "uuid": "pg_catalog.md5('{seed}' || {0})::uuid",
    "bytea": "pg_catalog.decode(pg_catalog.md5('{seed}' || {0}), 'hex')",
    "json": "pg_catalog.json_build_object('id', {0}, 'name', 'value ' || {0} % 100)",
    "jsonb": "pg_catalog.jsonb_build_object('id', {0}, 'name', 'value ' || {0} % 100)",
    "inet": "(inet '10.0.0.0' + {0} % 16777216)",
    "cidr": "pg_catalog.set_masklen(inet '10.0.0.0' + {0} % 16777216, 32)::cidr",
    "macaddr": "pg_catalog.lpad(pg_catalog.to_hex({0} % 281474976710656), 12, '0')::macaddr",
    "macaddr8": "pg_catalog.lpad(pg_catalog.to_hex({0}), 16, '0')::macaddr8",
    "time without time zone": "(time '00:00' + ({0} % 86400) * interval '1 second')",
    "time with time zone": "(time '00:00' + ({0} % 86400) * interval '1 second')::timetz",
    "interval": "({0} * interval '1 minute')",
    "money": "({0} % 1000000 + 1)::numeric::money",
    "tsvector": "pg_catalog.to_tsvector('simple', 'word' || {0} || ' word' || {0} % 100)",
    "tsquery": "pg_catalog.to_tsquery('simple', 'word' || {0})",
    "xml": "('<a>' || {0} || '</a>')::xml",
    "oid": "({0} % 4294967296)::oid",
    "point": "pg_catalog.point({0} % 1000, {0} / 1000 % 1000)",
    "box": "pg_catalog.box(pg_catalog.point({0} % 1000, {0} / 1000), pg_catalog.point(2000, 2000))",
    "circle": "pg_catalog.circle(pg_catalog.point({0} % 1000, {0} / 1000), 1)",
    '"char"': "pg_catalog.chr(({0} % 26 + 65)::int)::\"char\"",
    "pg_lsn": "('0/' || pg_catalog.to_hex({0} % 4294967296))::pg_lsn",
}  # fmt: skip


def seed_of(*parts: object) -> int:
    """A number of 63 bits that the parts decide."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def chance(number: sql.Composable, seed: int) -> sql.Composable:
    """A number from 0 up to 1, below it, that *number* and *seed* decide."""
    return sql.SQL("((pg_catalog.hashint8extended({}, {}) & {})::float8 / {})").format(
        number, sql.Literal(seed), sql.Literal(_MANTISSA), sql.Literal(float(_MANTISSA + 1))
    )


@dataclass(frozen=True)
class Kind:
    """A column's type: *full* with modifiers, beneath domains, *plain* without; an enum's *labels*.

    *lowest* and *highest* are what conditions speak of, where they do.
    """

    full: str
    plain: str
    labels: tuple[str, ...] = ()
    lowest: Decimal | None = None
    highest: Decimal | None = None
    days: tuple[str, str] | None = None
    width: int = 24  # of texts, in characters


def value(
    kind: Kind, index: sql.Composable, seed: int, literals: Sequence[str] = ()
) -> sql.Composable | None:
    """The value number *index* (a bigint from 0) of a type, different ones for different numbers if it can.

    *literals* are values that the server takes for it, used for types that this module does not know; None
    where there are none.
    """
    made = _plain(kind, index, seed, literals)
    return None if made is None else sql.SQL("({})::{}").format(made, sql.SQL(kind.full))


def _plain(kind: Kind, index: sql.Composable, seed: int, literals: Sequence[str]) -> sql.Composable | None:
    if kind.labels:
        return _one_of(kind.labels, index)
    if kind.plain in _NUMBERS:
        return _number(kind, index)
    if kind.plain in _TIMES:
        return _day(kind, index)
    if kind.plain.rpartition(".")[2] in _TEXTS:
        return _text(kind, index, seed)
    if kind.plain.endswith("[]"):
        return _array(kind, index, seed, literals)
    if kind.plain in _RANGES:
        return _filled(_RANGES[kind.plain], index, seed)
    if kind.plain.endswith("multirange") and (single := _RANGES.get(kind.plain.replace("multi", ""))):
        return _filled(f"{kind.plain}({single})", index, seed)
    if kind.plain.rpartition(".")[2] == "ltree":
        return sql.SQL("('node' || {})").format(index)
    if kind.plain.rpartition(".")[2] == "hstore":
        return sql.SQL("('id=>' || {})").format(index)
    if kind.plain in _DISTINCT:
        return _filled(_DISTINCT[kind.plain], index, seed)
    if kind.plain in ("bit", "bit varying"):
        return sql.SQL("{}::bit({})").format(index, sql.Literal(_modifier(kind.full) or 1))
    return _one_of(literals, index) if literals else None


def _filled(template: str, index: sql.Composable, seed: int) -> sql.Composable:
    """The template with the index in it; expressions are run without parameters, so % stands for itself."""
    parts = template.replace("{seed}", f"{seed:x}").split("{0}")
    found: sql.Composable = sql.SQL(parts[0])
    for part in parts[1:]:
        found = found + index + sql.SQL(part)
    return found


def _one_of(values: Sequence[str], index: sql.Composable) -> sql.Composable:
    return sql.SQL("({}::text[])[1 + {} % {}]").format(
        sql.Literal(list(values)), index, sql.Literal(len(values))
    )


def _modifier(full: str) -> int | None:
    found = re.search(r"\((\d+)", full)
    return int(found[1]) if found else None


def _number(kind: Kind, index: sql.Composable) -> sql.Composable:
    low = kind.lowest if kind.lowest is not None else Decimal(1)
    scale = 0
    most = Decimal(_INTEGERS.get(kind.plain, 2**53))
    if kind.plain == "numeric" and (found := re.search(r"\((\d+),(-?\d+)\)", kind.full)):
        precision, scale = int(found[1]), max(int(found[2]), 0)
        most = Decimal(10) ** (precision - int(found[2])) - 1
    elif kind.plain in ("numeric", "real", "double precision"):
        scale = 2
    high = min(most, kind.highest) if kind.highest is not None else most
    steps = max(1, int((high - low) * 10**scale) + 1)
    return (
        sql.SQL("{} + ({} % {})::numeric / {}").format(
            sql.Literal(low), index, sql.Literal(min(steps, 2**62)), sql.Literal(10**scale)
        )
        if scale
        else sql.SQL("{} + {} % {}").format(sql.Literal(int(low)), index, sql.Literal(min(steps, 2**62)))
    )


def _day(kind: Kind, index: sql.Composable) -> sql.Composable:
    """Days, or moments a few minutes apart, from 2020 on or within the days that conditions name."""
    if kind.days:
        first, last = (sql.Literal(day) for day in kind.days)
        return sql.SQL(
            "{first}::timestamptz + ({index} * 7919 % greatest(1, (extract(epoch from {last}::timestamptz"
            " - {first}::timestamptz) / 60)::bigint)) * interval '1 minute'"
        ).format(first=first, last=last, index=index)
    if kind.plain == "date":
        return sql.SQL("date '2020-01-01' + ({} % 100000)::int").format(index)
    return sql.SQL("timestamptz '2020-01-01 00:00+00' + {} * interval '5 minutes 7 seconds'").format(index)


def _text(kind: Kind, index: sql.Composable, seed: int) -> sql.Composable:
    """Words that differ from their beginning on, as long as the type lets them be."""
    longest = _modifier(kind.full) if kind.plain.startswith("character") else None
    if kind.plain == "character" and longest is None:
        longest = 1
    if longest is not None and longest < 8:
        return sql.SQL(
            "pg_catalog.right(pg_catalog.lpad(pg_catalog.upper(pg_catalog.to_hex({})), {n}, 'A'), {n})"
        ).format(index, n=sql.Literal(longest))
    return sql.SQL(
        "pg_catalog.rpad(pg_catalog.to_hex({index}) || ' ', {n}, pg_catalog.md5({seed} || {index}::text))"
    ).format(
        index=index,
        seed=sql.Literal(f"{seed:x}"),
        n=sql.Literal(min(longest or 2**20, max(kind.width, 12))),
    )


def _array(kind: Kind, index: sql.Composable, seed: int, literals: Sequence[str]) -> sql.Composable | None:
    element = Kind(kind.full.removesuffix("[]"), kind.plain.removesuffix("[]"), kind.labels)
    first = value(element, index, seed)
    second = value(element, sql.SQL("({} / 3)").format(index), seed)
    if first is None or second is None:
        return _one_of(literals, index) if literals else None
    return sql.SQL("array[{}, {}]").format(first, second)


def spread(number: sql.Composable, several: int, rows: int, seed: int) -> sql.Composable:
    """For a row's *number* from 1 one of *several* from 0: at random, or each once where there are enough."""
    if several < _NEARLY_ALL * rows:
        return sql.SQL("pg_catalog.floor({} * {})::bigint").format(chance(number, seed), sql.Literal(several))
    factor = 1 + seed % max(several, 1)
    while math.gcd(factor, several) != 1:
        factor += 1
    return sql.SQL("(({} * {}::numeric) % {})::bigint").format(
        number, sql.Literal(factor), sql.Literal(several)
    )


def distinct_values(found: ColumnStatistics, rows: int) -> int | None:
    """How many different values the statistics expect among *rows*; None where they do not say."""
    if not found.distinct:
        return None
    return max(1, round(found.distinct if found.distinct > 0 else -found.distinct * rows))


def by_statistics(
    kind: Kind,
    found: ColumnStatistics,
    number: sql.Composable,
    rows: int,
    seed: int,
    native: sql.Composable,
) -> sql.Composable:
    """A value by the column's statistics: a common one as often as it is, else one between two bounds.

    Where there are no bounds and the common values are not all, *native* makes the others.
    """
    filled = max(1e-9, 1.0 - found.null_fraction)
    common = min(1.0, sum(found.common_fractions) / filled)
    rest = _between(kind, found, number, rows, seed, native)
    if not found.common_values:
        return rest
    sums = list(itertools.accumulate(found.common_fractions))
    random = chance(number, seed ^ 1)
    chosen = sql.SQL("({}::text[])[1 + pg_catalog.width_bucket({} * {}, {}::float8[])]::{}").format(
        sql.Literal(list(found.common_values)),
        random,
        sql.Literal(sums[-1] / common),
        sql.Literal(sums[:-1] or [2.0]),
        sql.SQL(kind.full),
    )
    if common > 0.999 or (not found.bounds and _all_are_common(found, rows)):
        return chosen
    return sql.SQL("case when {} < {} then {} else {} end").format(random, sql.Literal(common), chosen, rest)


def _all_are_common(found: ColumnStatistics, rows: int) -> bool:
    several = distinct_values(found, rows)
    return several is not None and several <= len(found.common_values)


def _between(
    kind: Kind,
    found: ColumnStatistics,
    number: sql.Composable,
    rows: int,
    seed: int,
    native: sql.Composable,
) -> sql.Composable:
    """One of as many values as are expected besides the common ones, spread evenly over the histogram."""
    bounds = found.bounds
    if len(bounds) < 2:
        return native
    several = max(1, (distinct_values(found, rows) or rows) - len(found.common_values))
    correlation = found.correlation or 0.0
    if abs(correlation) > _CORRELATED:
        share = sql.SQL("workbench.share" if correlation > 0 else "(1 - workbench.share)")
        index: sql.Composable = sql.SQL("least({0} - 1, pg_catalog.floor({1} * {0}))::bigint").format(
            sql.Literal(several), share
        )
    else:
        index = spread(number, several, rows, seed ^ 2)
    where = sql.SQL("(({} + 0.5) / {} * {})").format(
        index, sql.Literal(several), sql.Literal(len(bounds) - 1)
    )
    place = sql.SQL("(1 + pg_catalog.floor({})::int)").format(where)
    bound = sql.SQL("({}::text[])[{}]").format(sql.Literal(list(bounds)), place)
    if kind.plain in _TIMES and not any("infinity" in each for each in bounds):
        return _interpolated(kind, bounds, where, place, "timestamptz", "{}::float8")
    if kind.plain in _NUMBERS and not set(bounds) & {"NaN", "Infinity", "-Infinity"}:
        return _interpolated(kind, bounds, where, place, "numeric", "{}::numeric")
    if several <= 2 * len(bounds):
        return sql.SQL("{}::{}").format(bound, sql.SQL(kind.full))
    if kind.plain not in _TEXTS:
        return native
    longest = _modifier(kind.full) or 2**20
    width = min(longest, max(found.width_bytes, 12))
    return sql.SQL(
        "(pg_catalog.left({bound}, {kept}) || pg_catalog.lpad(pg_catalog.to_hex({index}), 8, '0'))::{full}"
    ).format(bound=bound, kept=sql.Literal(max(0, width - 8)), index=index, full=sql.SQL(kind.full))


def _interpolated(
    kind: Kind, bounds: Sequence[str], where: sql.Composable, place: sql.Composable, many: str, factor: str
) -> sql.Composable:
    """The value that stands at *where* between the bounds, the first of which has the *place* 1."""
    one = sql.SQL("({}::text[])[{}]::{}").format(sql.Literal(list(bounds)), place, sql.SQL(many))
    two = sql.SQL("({}::text[])[{} + 1]::{}").format(sql.Literal(list(bounds)), place, sql.SQL(many))
    share = sql.SQL("({} - pg_catalog.floor({}))").format(where, where)
    between: sql.Composable = sql.SQL("{one} + ({two} - {one}) * {share}").format(
        one=one, two=two, share=sql.SQL(factor).format(share)
    )
    if kind.plain == "numeric":  # with as many decimals as the bounds have
        decimals = max(len(each.partition(".")[2]) for each in bounds)
        between = sql.SQL("pg_catalog.round({}, {})").format(between, sql.Literal(decimals))
    elif kind.plain in _INTEGERS:
        between = sql.SQL("pg_catalog.floor({})").format(between)
    return sql.SQL("({})::{}").format(between, sql.SQL(kind.full))
