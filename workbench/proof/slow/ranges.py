"""Functions on a column that stand for a range of it: the condition on the column itself."""

from __future__ import annotations

import re
from datetime import date

from pglast.enums import BoolExprType, NullTestType

from workbench.catalog.model import Column
from workbench.errors import BadInput
from workbench.proof.slow import conditions
from workbench.proof.slow.running import parse_expression
from workbench.proof.slow.syntax import Scope
from workbench.proof.slow.tree import Tree, ast

_STAMPS = ("timestamp without time zone", "timestamp with time zone", "date")
_INTEGERS = ("smallint", "integer", "bigint")
_TEXTS = ("text", "character varying")
_UNITS = ("hour", "day", "week", "month", "quarter", "year")
_STEPS = {"quarter": "3 months"}
_FORMATS = {
    "YYYY": (re.compile(r"(\d{4})"), "year"),
    "YYYY-MM": (re.compile(r"(\d{4})-(\d{2})"), "month"),
    "YYYY-MM-DD": (re.compile(r"(\d{4})-(\d{2})-(\d{2})"), "day"),
}
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,8}")
_PLAIN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def as_range(node: Tree, place: Scope) -> Tree | None:
    """The comparison *node* on the column itself, which asks the same; None where no rule knows how.

    The rules hold for NULL as well: where the column is NULL, both are. A day, a month or a year of a
    ``timestamptz`` is that of the session's time zone, before and after.
    """
    if node.kind != conditions.OPERATOR or node.lexpr is None or conditions.operator(node) != "=":
        return None
    for side, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
        held = conditions.columns_in(side)
        if len(held) != 1 or conditions.bare(side) or conditions.columns_in(other):
            continue
        named = place.resolve(held[0])
        if named is None:
            continue
        for rule in (_truncated, _day, _part, _formatted, _coalesced, _as_text, _as_numeric, _moved):
            made = rule(side, other, held[0], named[1])
            if made is not None:
                return made
    return None


def _call(side: Tree, *names: str) -> tuple[Tree, ...] | None:
    """The arguments where *side* calls one of *names*, of the system's."""
    if not isinstance(side, ast.FuncCall) or side.over or side.agg_filter or side.agg_order:
        return None
    schema = [each.sval for each in side.funcname[:-1]]
    if side.funcname[-1].sval not in names or schema not in ([], ["pg_catalog"]):
        return None
    return tuple(side.args or ())


def _between(column: Tree, low: str, high: str) -> Tree:
    name = conditions.printed_plainly(column)
    return parse_expression(f"{name} >= {low} and {name} < {high}")


def _stamp_type(column: Column) -> str:
    return "timestamp" if column.base_type == "timestamp without time zone" else "timestamptz"


# dates


def _truncated(side: Tree, other: Tree, held: Tree, column: Column) -> Tree | None:
    """``date_trunc('month', c) = x``: from x to a month after it, if x begins a month."""
    arguments = _call(side, "date_trunc")
    if arguments is None or len(arguments) != 2 or not conditions.bare(arguments[1]):
        return None
    unit = (conditions.constant_text(arguments[0]) or "").lower()
    if column.base_type not in _STAMPS or unit not in _UNITS:
        return None
    value = f"cast({conditions.printed_plainly(other)} as {_stamp_type(column)})"
    step = _STEPS.get(unit, f"1 {unit}")
    made = _between(held, value, f"{value} + interval '{step}'")
    if _begins(conditions.constant_text(other), unit):
        return made
    guard = parse_expression(f"date_trunc('{unit}', {value}) = {value}")
    return ast.BoolExpr(boolop=BoolExprType.AND_EXPR, args=(*made.args, guard))


def _begins(text: str | None, unit: str) -> bool:
    """Whether the literal *text* is surely the beginning of a *unit* in every time zone."""
    if text is None or not _PLAIN_DATE.fullmatch(text.removesuffix(" 00:00:00")):
        return False
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return False
    return {
        "hour": True,
        "day": True,
        "week": day.weekday() == 0,
        "month": day.day == 1,
        "quarter": day.day == 1 and day.month % 3 == 1,
        "year": day.day == 1 and day.month == 1,
    }[unit]


def _day(side: Tree, other: Tree, held: Tree, column: Column) -> Tree | None:
    """``c::date = x`` and ``date(c) = x``: from the beginning of the day to that of the next."""
    arguments = _call(side, "date")
    cast = isinstance(side, ast.TypeCast) and conditions.type_name(side.typeName) == "date"
    inner = side.arg if cast else arguments[0] if arguments and len(arguments) == 1 else None
    if inner is None or not conditions.bare(inner) or column.base_type not in _STAMPS[:2]:
        return None
    if isinstance(other, ast.FuncCall) or (isinstance(other, ast.TypeCast) and not _is_date(other)):
        return None  # what is no date, such as now(), would be equal to a midnight alone
    if not _is_date(other) and not _PLAIN_DATE.fullmatch(conditions.constant_text(other) or ""):
        return None
    value = f"cast({conditions.printed_plainly(other)} as date)"
    return _between(held, value, f"{value} + 1")


def _is_date(node: Tree) -> bool:
    if isinstance(node, ast.TypeCast):
        return conditions.type_name(node.typeName) == "date"
    return isinstance(node, ast.SQLValueFunction) and node.op.name == "SVFOP_CURRENT_DATE"


def _part(side: Tree, other: Tree, held: Tree, column: Column) -> Tree | None:
    """``extract(year from c) = n``: the year n."""
    arguments = _call(side, "extract", "date_part")
    if arguments is None or len(arguments) != 2 or not conditions.bare(arguments[1]):
        return None
    if (conditions.constant_text(arguments[0]) or "").lower() != "year" or column.base_type not in _STAMPS:
        return None
    year = _integer(other)
    if year is None or not 1 <= year <= 9998:
        return None
    return _between(held, f"cast('{year:04}-01-01' as date)", f"cast('{year + 1:04}-01-01' as date)")


def _formatted(side: Tree, other: Tree, held: Tree, column: Column) -> Tree | None:
    """``to_char(c, 'YYYY-MM') = '2024-05'``: that month."""
    arguments = _call(side, "to_char")
    if arguments is None or len(arguments) != 2 or not conditions.bare(arguments[0]):
        return None
    pattern, unit = _FORMATS.get(conditions.constant_text(arguments[1]) or "", (None, ""))
    found = pattern.fullmatch(conditions.constant_text(other) or "") if pattern else None
    if found is None or column.base_type not in _STAMPS:
        return None
    try:
        year, month, day = [*map(int, found.groups()), 1, 1][:3]
        first = date(year, month, day)
    except ValueError:
        return None
    low = f"cast('{first:%Y-%m-%d}' as date)"
    if first.year < 1000 or first.year > 9000:
        return None
    return _between(held, low, f"cast({low} + interval '1 {unit}' as date)")


# others


def _coalesced(side: Tree, other: Tree, held: Tree, column: Column) -> Tree | None:
    """``coalesce(c, k) = x`` with constants: ``c = x``, or NULL where x is k."""
    if not isinstance(side, ast.CoalesceExpr) or len(side.args) != 2 or not conditions.bare(side.args[0]):
        return None
    instead = _comparable(side.args[1], column)
    wanted = _comparable(other, column)
    if instead is None or wanted is None:
        return None
    name = conditions.printed_plainly(held)
    equal = parse_expression(f"{name} = {conditions.printed_plainly(other)}")
    if wanted != instead:
        # where the column is NULL the one is false and the other NULL: WHERE takes both for no
        return ast.BoolExpr(
            boolop=BoolExprType.AND_EXPR,
            args=(equal, ast.NullTest(arg=held, nulltesttype=NullTestType.IS_NOT_NULL)),
        )
    missing = ast.NullTest(arg=held, nulltesttype=NullTestType.IS_NULL)
    return ast.BoolExpr(boolop=BoolExprType.OR_EXPR, args=(equal, missing))


def _comparable(node: Tree, column: Column) -> str | int | None:
    """A constant's value where its text alone tells whether two are equal."""
    if column.base_type in _INTEGERS:
        return _integer(node)
    if column.base_type in _TEXTS and column.collation in (None, "default", "C"):
        return conditions.constant_text(node) if isinstance(node, ast.A_Const) else None
    return None


def _as_text(side: Tree, other: Tree, held: Tree, column: Column) -> Tree | None:
    """``c::text = '42'`` of an integer: ``c = 42``."""
    if not isinstance(side, ast.TypeCast) or conditions.type_name(side.typeName) not in _TEXTS:
        return None
    text = conditions.constant_text(other) or ""
    if not conditions.bare(side.arg) or column.base_type not in _INTEGERS or not _WHOLE.fullmatch(text):
        return None
    if side.typeName.typmods:
        return None
    return _expression(f"{conditions.printed_plainly(held)} = {text}")


def _as_numeric(side: Tree, other: Tree, held: Tree, column: Column) -> Tree | None:
    """``c::numeric = 5`` of an integer, written out: ``c = 5``."""
    if not isinstance(side, ast.TypeCast) or conditions.type_name(side.typeName) not in ("numeric", "bigint"):
        return None
    number = _integer(other)
    if not conditions.bare(side.arg) or column.base_type not in _INTEGERS or number is None:
        return None
    if side.typeName.typmods:
        return None
    return _expression(f"{conditions.printed_plainly(held)} = {number}")


def _moved(side: Tree, other: Tree, held: Tree, column: Column) -> Tree | None:
    """``c + 1 = 5`` of integers: ``c = 4``."""
    if not isinstance(side, ast.A_Expr) or column.base_type not in _INTEGERS or side.lexpr is None:
        return None
    sign = {"+": 1, "-": -1}.get(conditions.operator(side))
    step, result = _integer(side.rexpr), _integer(other)
    if sign is None or step is None or result is None or not conditions.bare(side.lexpr):
        return None
    return _expression(f"{conditions.printed_plainly(held)} = {result - sign * step}")


def _integer(node: Tree) -> int | None:
    """The value of a whole number in the text, written as an integer or as 5.0."""
    if not isinstance(node, ast.A_Const) or node.isnull:
        return None
    if isinstance(node.val, ast.Integer):
        return int(node.val.ival or 0)
    if isinstance(node.val, ast.Float) and re.fullmatch(r"\d{1,9}\.0*", node.val.fval):
        return int(node.val.fval.partition(".")[0])
    return None


def _expression(text: str) -> Tree | None:
    try:
        return parse_expression(text)
    except BadInput:
        return None


def implicit_numeric(node: Tree, place: Scope) -> Tree | None:
    """``c = 5.0`` of an integer column, which casts every row: ``c = 5``."""
    if node.kind != conditions.OPERATOR or conditions.operator(node) != "=":
        return None
    for side, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
        if isinstance(side, ast.ColumnRef) and isinstance(getattr(other, "val", None), ast.Float):
            named, number = place.resolve(side), _integer(other)
            if named and number is not None and named[1].base_type in _INTEGERS:
                return _expression(f"{conditions.printed_plainly(side)} = {number}")
    return None
