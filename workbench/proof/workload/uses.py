"""What the parameters of a statement stand for: the columns that they are compared with, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal

from pglast import ast
from pglast.enums import A_Expr_Kind

from workbench.proof.workload.scopes import ColumnOf, Outputs, Relation, Scope, TableColumns, renamed
from workbench.proof.workload.syntax import children, nodes

Role = Literal[
    "equal", "low", "high", "pattern", "piece", "array", "element", "word", "limit", "offset", "part",
    "written", "free", "more", "unknown",
]  # fmt: skip
_COMPARED: dict[str, Role] = {"=": "equal", "<>": "equal", "<": "high", "<=": "high", ">": "low", ">=": "low"}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "<@": "@>", "@>": "<@"}
_PATTERNS = frozenset((A_Expr_Kind.AEXPR_LIKE, A_Expr_Kind.AEXPR_ILIKE, A_Expr_Kind.AEXPR_SIMILAR))
_BETWEEN = frozenset(
    (
        A_Expr_Kind.AEXPR_BETWEEN,
        A_Expr_Kind.AEXPR_NOT_BETWEEN,
        A_Expr_Kind.AEXPR_BETWEEN_SYM,
        A_Expr_Kind.AEXPR_NOT_BETWEEN_SYM,
    )
)
_FOLDING = frozenset(("lower", "upper"))
_PARTS = frozenset(("date_trunc", "date_part", "extract"))
_SEARCHES = frozenset(("to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery"))


@dataclass(frozen=True)
class Use:
    """A place of a parameter. *place* counts the members of a list, *alias* tells a table's uses apart."""

    number: int
    role: Role
    column: ColumnOf | None = None
    place: int = 0
    alias: str = ""


def table_names(tree: Any) -> Iterator[tuple[str, str]]:
    """The (schema, name) of the tables that *tree* names, the schema empty where it is not written."""
    for node in nodes(tree):
        if _is(node, ast.RangeVar):
            yield node.schemaname or "", node.relname or ""


def uses_of(tree: Any, relations: Mapping[tuple[str, str], Relation]) -> list[Use]:
    """What the parameters of *tree* are used for; *relations* are the tables by their written names."""
    reader = _Reader(relations)
    reader.statement(tree, Scope())
    return reader.uses


class _Reader:
    def __init__(self, relations: Mapping[tuple[str, str], Relation]) -> None:
        self.relations = relations
        self.uses: list[Use] = []

    def statement(self, node: Any, around: Scope) -> Outputs:
        """Read the statement *node* among the names *around*; the columns that it gives out."""
        scope = Scope(around)
        for query in getattr(getattr(node, "withClause", None), "ctes", None) or ():
            outputs = self.statement(query.ctequery, scope)
            names = [each.sval for each in query.aliascolnames or ()] or list(outputs)
            scope.queries[query.ctename] = dict(zip(names, outputs.values(), strict=False))
        if _is(node, ast.SelectStmt):
            return self._select(node, scope)
        self._source(node.relation, scope)
        target = next(iter(scope.sources.values()))
        if _is(node, ast.InsertStmt):
            self._insert(node, target, scope)
        elif _is(node, ast.UpdateStmt):
            self._sources(node.fromClause, scope)
            self._written(node.targetList, target, scope)
            self._condition(node.whereClause, scope)
        elif _is(node, ast.DeleteStmt):
            self._sources(node.usingClause, scope)
            self._condition(node.whereClause, scope)
        elif _is(node, ast.MergeStmt):
            self._merge(node, target, scope)
        returning = getattr(node, "returningClause", None)
        self._free(getattr(node, "returningList", None) or getattr(returning, "exprs", None), scope)
        return target

    def _select(self, node: Any, scope: Scope) -> Outputs:
        outputs: Outputs = {}
        if node.op:
            outputs = self.statement(node.larg, scope)
            self.statement(node.rarg, scope)
        self._sources(node.fromClause, scope)
        self._condition(node.whereClause, scope)
        for part in (
            node.havingClause,
            node.targetList, node.distinctClause, node.groupClause, node.windowClause, node.sortClause,
            node.valuesLists,
        ):  # fmt: skip
            self._free(part, scope)
        self._count(node.limitCount, "limit", scope)
        self._count(node.limitOffset, "offset", scope)
        return outputs or self._outputs(node.targetList, scope)

    def _outputs(self, targets: Any, scope: Scope) -> Outputs:
        found: dict[str, tuple[ColumnOf, str] | None] = {}
        for target in targets or ():
            value: Any = getattr(target, "val", None)
            names = _names(value)
            if _is(value, ast.ColumnRef) and _is(value.fields[-1], ast.A_Star):
                wanted = value.fields[0].sval if len(value.fields) == 2 else None
                for alias, source in scope.sources.items():
                    found.update(source if wanted in (None, alias) else {})
            else:
                name = target.name or (names[-1] if names else f"?{len(found)}")
                found[name] = scope.column(names) if names else None
        return found

    def _insert(self, node: Any, target: Outputs, scope: Scope) -> None:
        columns = [each.name for each in node.cols or ()] or list(target)
        select = node.selectStmt
        if _is(select, ast.SelectStmt) and select.valuesLists:
            for row in select.valuesLists:
                for name, value in zip(columns, row, strict=False):
                    self._value_of(value, target.get(name), "written", scope)
        elif select is not None:
            self.statement(select, scope)
        if node.onConflictClause:
            self._written(node.onConflictClause.targetList, target, scope)
            self._condition(node.onConflictClause.whereClause, scope)

    def _merge(self, node: Any, target: Outputs, scope: Scope) -> None:
        self._source(node.sourceRelation, scope)
        self._condition(node.joinCondition, scope)
        for clause in node.mergeWhenClauses or ():
            self._condition(clause.condition, scope)
            self._written(clause.targetList if clause.values is None else (), target, scope)
            self._free(clause.values, scope)

    def _written(self, targets: Any, target: Outputs, scope: Scope) -> None:
        for each in targets or ():
            self._value_of(each.val, target.get(each.name), "written", scope)

    def _sources(self, items: Any, scope: Scope) -> None:
        for each in items or ():
            self._source(each, scope)

    def _source(self, item: Any, scope: Scope) -> None:
        if _is(item, ast.JoinExpr):
            self._source(item.larg, scope)
            self._source(item.rarg, scope)
            self._condition(item.quals, scope)
        elif _is(item, ast.RangeVar):
            alias = item.alias.aliasname if item.alias else item.relname
            query = None if item.schemaname else scope.query(item.relname)
            relation = self.relations.get((item.schemaname or "", item.relname))
            outputs = query if query is not None else self._relation(relation, alias)
            scope.sources[alias] = renamed(outputs, item.alias)
        elif _is(item, ast.RangeSubselect):
            outputs = self.statement(item.subquery, scope)
            if item.alias:
                scope.sources[item.alias.aliasname] = renamed(outputs, item.alias)
        else:
            self._free(item, scope)

    def _relation(self, relation: Relation | None, alias: str) -> Outputs:
        if relation is None:
            return {}
        if relation.view is None:
            return TableColumns(relation, alias)
        outputs = self.statement(relation.view, Scope())
        return dict(zip(relation.columns, outputs.values(), strict=False))

    def _count(self, node: Any, role: Role, scope: Scope) -> None:
        inner = _bare(node)
        if _is(inner, ast.ParamRef):
            self.uses.append(Use(inner.number, role))
        else:
            self._free(node, scope)

    def _free(self, node: Any, scope: Scope) -> None:
        self._walk(node, "free", scope)

    def _condition(self, node: Any, scope: Scope) -> None:
        self._walk(node, "unknown", scope)

    def _walk(self, node: Any, role: Role, scope: Scope) -> None:
        """Take down the parameters in *node*; those of no comparison have *role*."""
        if _is(node, tuple | list):
            for each in node:
                self._walk(each, role, scope)
        elif _is(node, ast.ParamRef):
            self.uses.append(Use(node.number, role))
        elif _is(node, ast.A_Expr):
            self._compared(node, role, scope)
        elif _is(node, ast.SelectStmt):
            self.statement(node, scope)
        elif _is(node, ast.FuncCall) and _function(node) in _PARTS and _is_parameter(node.args[0]):
            through = "day" if _function(node) == "date_trunc" else "year"
            self.uses.append(Use(_bare(node.args[0]).number, "part", ColumnOf(0, "", through)))
            self._walk(node.args[1:], role, scope)
        elif _is(node, ast.Node):
            for each in children(node):
                self._walk(each, role, scope)

    def _compared(self, node: Any, role: Role, scope: Scope) -> None:
        operator = node.name[-1].sval
        left, right = node.lexpr, node.rexpr
        if _is(left, ast.RowExpr):
            rows = right if _is(right, tuple) else (right,)
            if all(_is(row, ast.RowExpr) for row in rows):
                for place, row in enumerate(rows):
                    for one, other in zip(left.args, row.args, strict=False):
                        self._pair(node, operator, one, other, role, scope, place)
                return
        if _is(right, tuple):
            for place, each in enumerate(right):
                told = (">=", "<=")[place] if node.kind in _BETWEEN else "="
                self._pair(node, told, left, each, role, scope, 0 if node.kind in _BETWEEN else place)
            return
        self._pair(node, operator, left, right, role, scope)

    def _pair(
        self, node: Any, operator: str, left: Any, right: Any, role: Role, scope: Scope, place: int = 0
    ) -> None:
        """A comparison of two expressions, in whichever of them the column stands."""
        column, value = self._column(left, scope), right
        if column is None and left is not None:
            column, value = self._column(right, scope), left
            operator = _MIRRORED.get(operator, operator)
        told = _role(node, operator, value is left)
        if column is None or told == "unknown" or self._column(value, scope):
            self._walk((left, right), role, scope)
            return
        self._walk(right if value is left else left, role, scope)
        self._value_of(value, column, told, scope, place)

    def _value_of(
        self, value: Any, column: tuple[ColumnOf, str] | None, role: Role, scope: Scope, place: int = 0
    ) -> None:
        """*value* stands for one of *column*, in that *role*."""
        inner = _bare(value)
        if column is None:
            self._walk(value, "free" if role == "written" else "unknown", scope)
        elif _is(inner, ast.ParamRef):
            self.uses.append(Use(inner.number, role, column[0], place, column[1]))
        elif _is(inner, ast.FuncCall) and _function(inner) in _SEARCHES:
            self._each(inner.args[-1:], "word", column)
            self._walk(inner.args[:-1], "free", scope)
        elif _is(inner, ast.A_ArrayExpr):
            for number, each in enumerate(inner.elements or ()):
                self._value_of(each, column, "element" if role == "array" else "equal", scope, number)
        elif _is(inner, ast.A_Expr) and inner.name[-1].sval in "+-" and _is_parameter(inner.lexpr):
            self._value_of(inner.lexpr, column, role, scope, place)
            self._walk(inner.rexpr, "more", scope)
        elif _is(inner, ast.A_Expr) and inner.name[-1].sval == "||":
            self._each(_operands(inner), "piece", column)
        else:
            self._walk(value, "free" if role == "written" else "unknown", scope)

    def _each(self, nodes: Iterable[Any], role: Role, column: tuple[ColumnOf, str]) -> None:
        for each in nodes:
            if _is(inner := _bare(each), ast.ParamRef):
                self.uses.append(Use(inner.number, role, column[0], 0, column[1]))

    def _column(self, node: Any, scope: Scope) -> tuple[ColumnOf, str] | None:
        """The column that *node* shows, as it is or through a function that a value can be put through."""
        inner = node
        while _is(inner, ast.TypeCast | ast.CollateClause):
            inner = inner.arg
        if _is(inner, ast.CoalesceExpr) and inner.args:
            return self._column(inner.args[0], scope)
        through = ""
        if _is(inner, ast.FuncCall) and inner.args:
            function = _function(inner)
            if function in _FOLDING:
                through = function
            elif function in _PARTS and len(inner.args) > 1:
                part = _bare(inner.args[0])
                value = getattr(getattr(part, "val", None), "sval", None)
                default = "day" if function == "date_trunc" else "year"
                through = default if _is(part, ast.ParamRef) else str(value)
                if through not in ("day", "year", "month") or (
                    function != "date_trunc" and through != "year"
                ):
                    return None
            else:
                return None
            inner = inner.args[-1]
            while _is(inner, ast.TypeCast):
                inner = inner.arg
        names = _names(inner)
        found = scope.column(names) if names else None
        return (ColumnOf(found[0].relation, found[0].name, through), found[1]) if found else None


def _is(node: Any, kind: type | UnionType) -> bool:
    """isinstance, without telling the type checker, to whom all of pglast's attributes are optional."""
    return isinstance(node, kind)


def _role(node: Any, operator: str, column_right: bool) -> Role:
    if node.kind in _PATTERNS or operator in ("~~", "~~*", "!~~", "!~~*", "^@"):
        return "pattern"
    if node.kind in (A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_OP_ALL):
        return "element" if column_right else "array"
    if operator in ("@>", "&&", "<@"):
        return "array"
    if operator == "@@":
        return "word"
    if operator in ("~", "~*"):
        return "piece"
    return _COMPARED.get(operator, "unknown")


def _operands(node: Any) -> Iterator[Any]:
    for each in (node.lexpr, node.rexpr):
        if _is(each, ast.A_Expr) and each.name[-1].sval == "||":
            yield from _operands(each)
        else:
            yield each


def _bare(node: Any) -> Any:
    """*node* without casts, collations and changes of case."""
    while True:
        if _is(node, ast.TypeCast | ast.CollateClause):
            node = node.arg
        elif _is(node, ast.FuncCall) and _function(node) in _FOLDING and node.args:
            node = node.args[0]
        else:
            return node


def _is_parameter(node: Any) -> bool:
    return _is(_bare(node), ast.ParamRef)


def _function(node: Any) -> str:
    return str(node.funcname[-1].sval)


def _names(node: Any) -> tuple[str, ...]:
    """The names of a reference to a column; none where it is something else."""
    if not _is(node, ast.ColumnRef) or not all(_is(each, ast.String) for each in node.fields):
        return ()
    return tuple(each.sval for each in node.fields)
