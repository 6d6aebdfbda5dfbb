"""Access patterns out of SQL: the declared workload of the example, or the statements of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType, JoinType, LimitOption, SortByDir
from pglast.stream import RawStream
from pglast.visitors import Visitor

from workbench.catalog.model import Catalog, Table, qualified
from workbench.documents.design.model import Order, TableKey
from workbench.documents.design.patterns import (
    AccessPattern,
    Aggregate,
    Condition,
    Include,
    Names,
    Operator,
    PatternError,
    all_includes,
)
from workbench.proof.workload.declared import NotDeclared, per_hour
from workbench.proof.workload.written import Mistake, NotParsed, parsed_statement, written_statements

_SYSTEM_SCHEMAS = ("pg_catalog", "information_schema")
_SYSTEM_COLUMNS = frozenset({"ctid", "oid", "tableoid", "xmin", "xmax", "cmin", "cmax"})
_OPERATORS: dict[str, Operator] = {"=": "=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MIRRORED: dict[str, Operator] = {"=": "=", "<>": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class DeclaredQuery(Protocol):
    """A query of a workload as its owner declares it."""

    @property
    def name(self) -> str: ...
    @property
    def sql(self) -> str: ...
    @property
    def frequency_per_hour(self) -> int: ...


@dataclass(frozen=True)
class Unmapped:
    """A statement that is no access pattern, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Workload:
    patterns: tuple[AccessPattern, ...]
    unmapped: tuple[Unmapped, ...] = ()


class _NoPattern(Exception):
    """The statement cannot be an access pattern; the message says why."""


def patterns_of_workload(queries: Iterable[DeclaredQuery], catalog: Catalog) -> Workload:
    """The patterns of declared queries; those that are none are listed with the reason.

    Raises PatternError for a table or a column that is not there.
    """
    names = Names(catalog)
    workload = _Mapping("workload")
    for each in queries:
        try:
            tree = parsed_statement(each.sql).tree
        except NotParsed as exc:
            workload.unmapped.append(Unmapped(each.name, f"it does not parse: {exc.reason}"))
            continue
        workload.add(each.name, names, tree, float(each.frequency_per_hour))
    return workload.made()


def patterns_of_sql(path: str | Path, catalog: Catalog) -> Workload:
    """The patterns of the statements of the file *path*.

    A comment ``-- per_hour: 120`` before a statement gives its frequency (1 without), ``-- name: x`` its
    name. Raises PatternError, with the line, for a statement that does not parse, a table or a column that
    is not there and a frequency that is none; also where the file cannot be read or holds no statement.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise PatternError(f"{source}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise PatternError(f"{source}: is not UTF-8: save it as UTF-8") from exc
    names = Names(catalog)
    workload = _Mapping(source.name)
    for each in written_statements(text):
        if isinstance(each, Mistake):
            raise PatternError(f"{source}:{each.line}: {each.reason}")
        name = each.name or f"statement {each.number}"
        try:
            workload.add(name, names, each.parsed.tree, per_hour(each.comments))
        except NotDeclared as exc:
            raise PatternError(f"{source}:{each.line}: {name}: {exc}") from exc
        except PatternError as exc:
            raise PatternError(f"{source}:{each.line}: {exc}") from exc
    if not workload.patterns and not workload.unmapped:
        raise PatternError(f"{source}: holds no statement")
    return workload.made()


@dataclass
class _Mapping:
    """A workload in the making: patterns with names of their own, and what is none."""

    origin: str
    patterns: list[AccessPattern] = field(default_factory=list)
    unmapped: list[Unmapped] = field(default_factory=list)

    def add(self, name: str, names: Names, tree: Any, per_hour: float) -> None:
        """Take the statement *tree*. Raises PatternError for a table or a column that is not there."""
        try:
            pattern = _Statement(names, tree, name).pattern()
        except _NoPattern as exc:
            self.unmapped.append(Unmapped(name, str(exc)))
            return
        taken = {each.name for each in self.patterns}
        free = name if name not in taken else f"{name} ({len(self.patterns) + 1})"
        self.patterns.append(replace(pattern, name=free, per_hour=per_hour, origin=self.origin))

    def made(self) -> Workload:
        return Workload(tuple(self.patterns), tuple(self.unmapped))


@dataclass
class _Found:
    """What the condition of a statement says of one table."""

    by: list[str] = field(default_factory=list)
    where: list[Condition] = field(default_factory=list)


@dataclass
class _Statement:
    names: Names
    node: Any
    called: str
    aliases: dict[str, Table] = field(default_factory=dict)
    joins: list[tuple[str, str, str, str]] = field(default_factory=list)  # alias, column, alias, column
    found: dict[str, _Found] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    residual: list[str] = field(default_factory=list)  # conditions and orders that no pattern can say

    def pattern(self) -> AccessPattern:
        kinds = {
            ast.SelectStmt: self._select,
            ast.InsertStmt: self._insert,
            ast.UpdateStmt: self._update,
            ast.DeleteStmt: self._delete,
        }
        made = kinds.get(type(self.node))
        if made is None:
            raise _NoPattern(f"{type(self.node).__name__} reads and writes no rows")
        if getattr(self.node, "withClause", None):
            raise _NoPattern("it has common table expressions")
        return made()

    def _require_columns(self) -> None:
        """Raises PatternError for a column that no table of the statement has.

        Where there is a subquery, it is left to the database: a name may be one of its own tables'.
        """
        visitor = _References()
        visitor(self.node)
        if visitor.subqueries:
            return
        given = {each.name for each in getattr(self.node, "targetList", None) or () if each.name}
        for reference in visitor.found:
            if all(_is(each, ast.String) for each in reference.fields):
                self._require_column([each.sval for each in reference.fields], given)
        if not _is(self.node, ast.SelectStmt):
            table = next(iter(self.aliases.values()))
            written = (
                self.node.cols if _is(self.node, ast.InsertStmt) else getattr(self.node, "targetList", ())
            )
            for each in written or ():
                self.names.column(table, each.name, self.called)

    def _require_column(self, fields: Sequence[str], given: set[str]) -> None:
        """One reference to a column; *given* are the names that the statement gives to its results."""
        *qualifiers, name = fields
        if name in _SYSTEM_COLUMNS:
            return
        if qualifiers:
            if qualifiers[-1] in self.aliases:
                self.names.column(self.aliases[qualifiers[-1]], name, self.called)
            return
        tables = list(self.aliases.values())
        known = {column.name for table in tables for column in table.columns} | given | {*self.aliases}
        if name not in known:
            self.names.column(tables[0], name, self.called)

    def _select(self) -> AccessPattern:
        if self.node.op or self.node.valuesLists or not self.node.fromClause:
            raise _NoPattern("it is not a select from tables")
        for item in self.node.fromClause:
            self._from(item)
        self._require_columns()
        self._condition(self.node.whereClause)
        aggregate = self._aggregate()
        root = self._root()
        table = self.aliases[root]
        limit = self._limit()
        sort = self._sort(root)
        mine = self.found[root]
        includes = self._includes(root, {root})
        ordered = bool(sort and limit) and not self.residual
        if not mine.by and not ordered and (self.residual or not mine.where):
            raise _NoPattern(
                f"no column of {table.qualified} is compared with a value"
                + (f" ({self.residual[0]})" if self.residual else "")
                + ": a search or a scan, of much the same cost in every design"
            )
        self.notes += [f"left to the application: {each}" for each in self.residual]
        if self.residual or any(each.where for each in all_includes(includes)):
            limit = None  # the rows that it counts are only known after what is left to the application
        return AccessPattern(
            name="",
            kind="read",
            root=(table.schema, table.name),
            by=tuple(dict.fromkeys(mine.by)),
            where=tuple(mine.where),
            sort=sort,
            limit=limit,
            columns=self._read(root) if aggregate is None else (),
            include=includes,
            aggregate=aggregate,
            notes=tuple(self.notes),
        )

    def _from(self, item: Any) -> None:
        if _is(item, ast.JoinExpr):
            if item.jointype not in (JoinType.JOIN_INNER, JoinType.JOIN_LEFT) or item.isNatural:
                raise _NoPattern("it has a join other than an inner or left one on columns")
            self._from(item.larg)
            self._from(item.rarg)
            if item.usingClause:
                left, right = list(self.aliases)[-2:]
                for column in item.usingClause:
                    self.joins.append((left, column.sval, right, column.sval))
            self._condition(item.quals)
        elif _is(item, ast.RangeVar):
            self._table(item)
        else:
            raise _NoPattern("it reads from a subquery or a function")

    def _table(self, item: Any) -> str:
        written = f"{item.schemaname}.{item.relname}" if item.schemaname else item.relname
        if item.schemaname in _SYSTEM_SCHEMAS or self.names.is_view(written):
            raise _NoPattern(f"{written} is a view or the server's own, and holds no rows of the design")
        if item.alias and item.alias.colnames:
            raise _NoPattern(f"it gives the columns of {written} other names")
        table = self.names.table(written, self.called)
        alias: str = item.alias.aliasname if item.alias else item.relname
        self.aliases[alias] = table
        self.found[alias] = _Found()
        return alias

    def _condition(self, node: Any) -> None:
        """Take what *node* asks apart; what no pattern can say is noted."""
        if node is None:
            return
        if _is(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR:
            for each in node.args:
                self._condition(each)
            return
        if not self._comparison(node):
            self.residual.append(_words(node))

    def _comparison(self, node: Any) -> bool:
        """Whether *node* is a condition that a pattern can say; it is taken down then."""
        column = self._column(node)
        if column:
            self.found[column[0]].where.append(Condition(column[1], "=", True))
            return True
        if _is(node, ast.BoolExpr) and node.boolop == BoolExprType.NOT_EXPR:
            column = self._column(node.args[0])
            if column:
                self.found[column[0]].where.append(Condition(column[1], "=", False))
            return column is not None
        if not _is(node, ast.A_Expr):
            return False
        left, right = self._column(node.lexpr), None
        if node.kind == A_Expr_Kind.AEXPR_OP:
            operator = node.name[-1].sval
            right = self._column(node.rexpr)
            if left and right and operator == "=":
                self.joins.append((*left, *right))
                return True
            folded = self._folded(node)
            if folded:
                return True
            if left and operator in _OPERATORS and _is_value(node.rexpr):
                return self._compared(left, _OPERATORS[operator], node.rexpr)
            if right and operator in _MIRRORED and _is_value(node.lexpr):
                return self._compared(right, _MIRRORED[operator], node.lexpr)
            return False
        if node.kind == A_Expr_Kind.AEXPR_BETWEEN and left and all(map(_is_value, node.rexpr)):
            low, high = node.rexpr
            return self._compared(left, ">=", low) and self._compared(left, "<=", high)
        if (
            node.kind == A_Expr_Kind.AEXPR_OP_ANY
            and left
            and node.name[-1].sval == "="
            and _is_value(node.rexpr)
        ):
            self.found[left[0]].by.append(left[1])
            return True
        if node.kind == A_Expr_Kind.AEXPR_IN and left and isinstance(node.rexpr, tuple):
            values = [_constant(each) for each in node.rexpr]
            if any(value is None for value in values):
                return False
            negated = node.name[-1].sval == "<>"
            if negated:
                for value in values:
                    self.found[left[0]].where.append(Condition(left[1], "!=", value))
            else:
                self.found[left[0]].where.append(Condition(left[1], "in", tuple(values)))
            return True
        return False

    def _folded(self, node: Any) -> bool:
        """``lower(column) = lower(value)``: equality, whatever the case."""
        sides = [node.lexpr, node.rexpr]
        if node.name[-1].sval != "=" or not all(_is(each, ast.FuncCall) and each.args for each in sides):
            return False
        function = sides[0].funcname[-1].sval
        column = self._column(sides[0].args[0])
        if function not in ("lower", "upper") or column is None or not _is_value(sides[1].args[0]):
            return False
        self.found[column[0]].by.append(column[1])
        self.notes.append(
            f"{column[1]} is compared whatever its case: the index needs a collation of strength 2, "
            "or the field is kept in small letters"
        )
        return True

    def _compared(self, column: tuple[str, str], operator: Operator, value: Any) -> bool:
        constant = _constant(value)
        found = self.found[column[0]]
        if operator == "=" and (constant is None or column[1] in _key_columns(self.aliases[column[0]])):
            found.by.append(column[1])
        else:
            found.where.append(Condition(column[1], operator, constant))
        return True

    def _column(self, node: Any) -> tuple[str, str] | None:
        """The alias and the column that *node* names, through casts."""
        while _is(node, ast.TypeCast):
            node = node.arg
        if not _is(node, ast.ColumnRef) or not _is(node.fields[-1], ast.String):
            return None
        *qualifiers, last = [each.sval for each in node.fields]
        if qualifiers:
            alias = qualifiers[-1]
            return (alias, last) if alias in self.aliases else None
        holders = [
            alias
            for alias, table in self.aliases.items()
            if any(column.name == last for column in table.columns)
        ]
        return (holders[0], last) if len(holders) == 1 else None

    def _root(self) -> str:
        """The table that the rows are found by: the one with a key that is compared, else with any column."""
        if not self.aliases:
            raise _NoPattern("it names no table")

        def strength(alias: str) -> tuple[int, int, int]:
            table, found = self.aliases[alias], self.found[alias]
            unique = [
                set(each.columns) for each in table.constraints if each.kind in ("primary key", "unique")
            ]
            by = set(found.by)
            keyed = any(columns and columns <= by for columns in unique)
            return (keyed, len(by), len(found.where))

        order = list(self.aliases)
        return max(order, key=lambda alias: (*strength(alias), -order.index(alias)))

    def _includes(self, alias: str, seen: set[str]) -> tuple[Include, ...]:
        """The tables joined to *alias* along foreign keys, with what is joined to them."""
        found = []
        for other in [each for each in self.aliases if each not in seen]:
            pairs = {
                (one[1], one[3]) if one[0] == alias else (one[3], one[1])
                for one in self.joins
                if {one[0], one[2]} == {alias, other}
            }
            if not pairs or other in seen:
                continue
            here, there = self._key(alias), self._key(other)
            matches = [
                (each, False)
                for each in self.names.relationships
                if (each.parent, each.child) == (here, there)
                and {*zip(each.referenced, each.columns, strict=True)} & pairs
            ] + [
                (each, True)
                for each in self.names.relationships
                if (each.child, each.parent) == (here, there)
                and {*zip(each.columns, each.referenced, strict=True)} & pairs
            ]
            if not matches:
                raise _NoPattern(
                    f"{qualified(*here)} and {qualified(*there)} are not joined along a foreign key"
                )
            seen.add(other)
            relationship, to_parent = matches[0]
            found.append(
                Include(
                    relationship,
                    to_parent,
                    columns=self._read(other),
                    where=tuple(self.found[other].where),
                    include=self._includes(other, seen),
                )
            )
        return tuple(found)

    def _key(self, alias: str) -> TableKey:
        table = self.aliases[alias]
        return (table.schema, table.name)

    def _read(self, alias: str) -> tuple[str, ...]:
        """The columns of *alias* in the list of results; none where all are read."""
        names: list[str] = []
        for target in self.node.targetList or ():
            for node in _column_references(target):
                if _is(node.fields[-1], ast.A_Star):
                    if len(node.fields) == 1 or node.fields[0].sval == alias:
                        return ()
                    continue
                column = self._column(node)
                if column and column[0] == alias:
                    names.append(column[1])
        return tuple(dict.fromkeys(names))

    def _aggregate(self) -> Aggregate | None:
        """Counts and sums where the results are nothing else."""
        sums: list[str] = []
        if not self.node.targetList or self.node.havingClause:
            return None
        calls = 0
        for target in self.node.targetList:
            value = target.val
            if _is(value, ast.ColumnRef) and self.node.groupClause:
                continue
            if not _is(value, ast.FuncCall) or value.funcname[-1].sval not in (
                "count",
                "sum",
                "avg",
                "min",
                "max",
            ):
                return None
            calls += 1
            column = self._column(value.args[0]) if value.args else None
            if value.funcname[-1].sval == "sum" and column:
                sums.append(column[1])
            elif value.args:
                self.notes.append(f"left to the application: {_words(value)}")
        if self.node.groupClause:
            self.notes.append("left to the application: the groups")
        return Aggregate(tuple(sums)) if calls else None

    def _sort(self, root: str) -> Order:
        order: list[tuple[str, int]] = []
        for each in self.node.sortClause or ():
            column = self._column(each.node)
            if column is None or column[0] != root:
                self.residual.append(f"order by {_words(each.node)}")
                return ()
            order.append((column[1], -1 if each.sortby_dir == SortByDir.SORTBY_DESC else 1))
        return tuple(order)

    def _limit(self) -> int | None:
        if self.node.limitCount is None or self.node.limitOption == LimitOption.LIMIT_OPTION_WITH_TIES:
            return None
        value = _constant(self.node.limitCount)
        return value if isinstance(value, int) and value > 0 else None

    def _insert(self) -> AccessPattern:
        self._table(self.node.relation)
        self._require_columns()
        table = next(iter(self.aliases.values()))
        if self.node.onConflictClause:
            self.notes.append("left to the application: what happens on conflict")
        select = self.node.selectStmt
        if select is not None and not select.valuesLists:
            raise _NoPattern("it inserts what a query reads: a batch, no access pattern")
        return AccessPattern("", "insert", (table.schema, table.name), notes=tuple(self.notes))

    def _update(self) -> AccessPattern:
        alias, by = self._written()
        table = self.aliases[alias]
        primary = table.primary_key.columns if table.primary_key else ()
        changed = tuple(each.name for each in self.node.targetList if each.name not in primary)
        if not changed:
            raise _NoPattern("it changes the key, which is _id in a document and cannot change")
        return replace(self._write("update", alias), by=by, set=changed)

    def _delete(self) -> AccessPattern:
        alias, by = self._written()
        return replace(self._write("delete", alias), by=by)

    def _write(self, kind: Literal["update", "delete"], alias: str) -> AccessPattern:
        return AccessPattern(
            "",
            kind,
            self._key(alias),
            where=tuple(self.found[alias].where),
            notes=tuple(f"left to the application: {each}" for each in self.residual),
        )

    def _written(self) -> tuple[str, tuple[str, ...]]:
        alias = self._table(self.node.relation)
        if getattr(self.node, "fromClause", None) or getattr(self.node, "usingClause", None):
            raise _NoPattern("it writes by a join")
        self._require_columns()
        self._condition(self.node.whereClause)
        by = tuple(dict.fromkeys(self.found[alias].by))
        if not by:
            raise _NoPattern("no column is compared for equality: a batch over the table, no access pattern")
        return alias, by


def _key_columns(table: Table) -> set[str]:
    """Columns of keys: a constant that they are compared with stands for any."""
    kinds = ("primary key", "unique", "foreign key")
    return {name for each in table.constraints if each.kind in kinds for name in each.columns}


def _is(node: Any, kind: type[ast.Node]) -> bool:
    """As isinstance, which would have the checker take every attribute of a node for None."""
    return isinstance(node, kind)


def _is_value(node: Any) -> bool:
    """Whether *node* is a constant or a parameter, or made of nothing but these."""
    return not any(True for _ in _column_references(node)) and not _is(node, ast.SubLink)


def _constant(node: Any) -> Any:
    """The value of a constant, None for everything else."""
    while _is(node, ast.TypeCast):
        node = node.arg
    if _is(node, ast.A_Const) and not node.isnull:
        value: Any = node.val
        if _is(value, ast.Integer):
            return value.ival
        if _is(value, ast.Float):
            return value.fval
        if _is(value, ast.String):
            return value.sval
        if _is(value, ast.Boolean):
            return value.boolval
    return None


class _References(Visitor):
    def __init__(self) -> None:
        self.found: list[Any] = []
        self.subqueries = False

    def visit_SubLink(self, _ancestors: Any, node: Any) -> None:  # noqa: N802 - pglast's name
        self.subqueries = True

    def visit_ColumnRef(self, _ancestors: Any, node: Any) -> None:  # noqa: N802 - pglast's name
        self.found.append(node)


def _column_references(node: Any) -> Sequence[Any]:
    if not _is(node, ast.Node):
        return ()
    visitor = _References()
    visitor(node)
    return visitor.found


def _words(node: Any) -> str:
    """*node* as SQL, shortened."""
    text = " ".join(str(RawStream()(node)).split())
    return text if len(text) <= 80 else text[:79] + "…"
