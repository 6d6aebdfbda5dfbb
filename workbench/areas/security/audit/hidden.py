"""Which columns' values the trail must not keep: the intent's labels, and what is computed from them."""

from __future__ import annotations

from dataclasses import dataclass

import pglast
from pglast import ast
from pglast.visitors import Visitor

from workbench.areas.security.intent.model import Intent, Label, TableName
from workbench.catalog.model import Catalog, Table, qualified
from workbench.errors import BadInput


@dataclass(frozen=True)
class Hidden:
    """Of one table: of *redacted* columns the trail keeps that they changed, of *omitted* ones nothing."""

    redacted: tuple[str, ...] = ()
    omitted: tuple[str, ...] = ()


class _Columns(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_ColumnRef(self, _ancestors: object, node: ast.ColumnRef) -> None:  # noqa: N802
        last = node.fields[-1] if node.fields else None
        if isinstance(last, ast.String) and last.sval:
            self.names.add(last.sval)


def _read_by(expression: str) -> set[str]:
    columns = _Columns()
    columns(pglast.parse_sql(f"select {expression}"))
    return columns.names


def hidden_columns(intent: Intent, catalog: Catalog, name: TableName) -> Hidden:
    """What the labels hide of the table *name*; of several labels the strictest holds.

    A stored generated column tells what it is computed from, so it is hidden with that; a virtual one is
    left out, for it has no value of its own. Raises BadInput where
    a column of the key is hidden: an entry names its row by the key, so it would tell the value.
    """
    table = catalog.table(*name)
    by_column = _labels(intent, name)
    omitted = {column for column, label in by_column.items() if label.audited == "omitted"}
    redacted = {column for column, label in by_column.items() if label.audited == "redacted"} - omitted
    for column in table.columns:
        if column.generated == "virtual":
            omitted.add(column.name)  # a trigger does not see it, and it follows from what it does see
        elif column.generated and column.default and column.name not in omitted:
            reads = _read_by(column.default)
            if reads & omitted:
                omitted.add(column.name)
            elif reads & redacted:
                redacted.add(column.name)
    redacted -= omitted
    for column_name in key_columns(table):
        if column_name in redacted | omitted:
            raise BadInput(_key_is_hidden(intent, table, column_name, by_column.get(column_name)))
    order = [column.name for column in table.columns]
    return Hidden(
        tuple(each for each in order if each in redacted), tuple(each for each in order if each in omitted)
    )


def _labels(intent: Intent, name: TableName) -> dict[str, Label]:
    strictness = {"kept": 0, "redacted": 1, "omitted": 2}
    found: dict[str, Label] = {}
    for label in sorted(intent.labels, key=lambda each: strictness[each.audited]):
        found |= {column: label for schema, table, column in label.columns if (schema, table) == name}
    return found


def _key_is_hidden(intent: Intent, table: Table, column: str, label: Label | None) -> str:
    where = ":".join([intent.path, str(label.line)]) + ": " if label and label.line else ""
    return (
        f"{where}{qualified(table.schema, table.name, column)} is in the key of its table, and the label "
        f"{label.name if label else 'of what it is computed from'!r} hides it from the trail, whose entries "
        "name each row by its key: give the table another key, or say 'audited: kept' in a label of its own"
    )


def key_columns(table: Table) -> tuple[str, ...]:
    """The columns that tell the rows of *table* apart in the trail, as the function key_of finds them.

    The primary key, else a unique index on columns that are never null; neither may be deferrable, for
    then two rows may have one key at a time. Empty where there is none: the whole row tells.
    """
    key = table.primary_key
    if key is not None and not key.deferrable:
        return key.columns
    deferrable = {each.name for each in table.constraints if each.deferrable}
    for index in table.indexes:
        columns = tuple(name for name in index.columns if name is not None)
        if (
            index.unique
            and index.valid
            and index.predicate is None
            and len(columns) == len(index.columns)
            and index.constraint not in deferrable
            and not any(table.column(name).nullable for name in columns)
        ):
            return columns
    return ()
