"""Attempts that did not end as declared, one difference for each role, object and operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.intent.model import TableName
from workbench.catalog.model import Catalog, qualified

Kind = Literal["rows", "view", "sequence", "role", "way around"]
# the operation of which each is another form
_OPERATION = {
    "copy to": "select",
    "returning": "select",
    "for update": "update",
    "merge": "update",
    "copy from": "insert",
}


@dataclass(frozen=True)
class Difference:
    """What *role* can do beyond the intent (*more*), or cannot do in spite of it.

    Of *kind* ``rows`` it is about a table, of ``way around`` about probe *number*; *table* is the first
    relation concerned, None where there is none.
    """

    kind: Kind
    role: str
    table: TableName | None
    operation: str
    more: bool
    attempts: tuple[Attempt, ...]
    number: str = ""

    @property
    def example(self) -> Attempt:
        """The attempt that says most: on another's row, else one with a count."""
        return max(
            self.attempts,
            key=lambda each: (
                each.row == "other",
                bool(each.identity),
                each.rows is not None,
                each.declared_rows is not None,
            ),
        )

    @property
    def tables(self) -> tuple[TableName, ...]:
        return tuple(sorted({each.table for each in self.attempts if each.table}))

    @property
    def where(self) -> str:
        return qualified(*self.table) if self.table else ""


def differences(attempts: Iterable[Attempt], catalog: Catalog) -> list[Difference]:
    """What is not as declared in *attempts*, worst first: more before less, tables before the rest."""
    groups: dict[tuple[Kind, str, TableName | None, str, bool, str], list[Attempt]] = {}
    kinds = {(each.schema, each.name): each.kind for each in catalog.tables}
    sequences = {(each.schema, each.name) for each in catalog.sequences}
    for each in attempts:
        if each.leak or (each.missing and each.group == "matrix") or _failed(each):
            groups.setdefault(_group(each, kinds, sequences), []).append(each)
    found = [
        Difference(kind, role, table, operation, more, tuple(members), number)
        for (kind, role, table, operation, more, number), members in groups.items()
    ]
    order: tuple[Kind, ...] = ("rows", "view", "way around", "role", "sequence")
    return sorted(found, key=lambda each: (not each.more, order.index(each.kind), each.where, each.role))


def _failed(attempt: Attempt) -> bool:
    """An error where rows were to be had."""
    return attempt.group == "matrix" and attempt.observed == "failed" and not attempt.as_declared


def _group(
    attempt: Attempt, kinds: Mapping[TableName, str], sequences: set[TableName]
) -> tuple[Kind, str, TableName | None, str, bool, str]:
    table, role = attempt.table, attempt.role
    more = attempt.leak
    if attempt.group == "probe":
        # a way around is one, on however many tables; a view or a function is one of its own
        own = attempt.name if attempt.number == "18" else ""
        if attempt.number == "7":
            return "view", role, table, "select", more, ""
        return "way around", role, None, own, more, attempt.number
    if table in sequences:
        return "sequence", role, None, "sequence", more, ""
    if table is None:
        return "role", role, None, attempt.operation, more, ""
    operation = _OPERATION.get(attempt.operation, attempt.operation)
    view = kinds.get(table) in ("view", "materialized view")
    return "view" if view else "rows", role, table, operation, more, ""


def tables_of(found: Iterable[Difference]) -> Iterator[TableName]:
    """The tables of *found*, each once."""
    yield from dict.fromkeys(table for each in found for table in each.tables)
