"""The names that an expression of a statement sees, and the columns of tables that they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ColumnOf:
    """A column of a relation by its OID; *through* is the function that it is seen through, as ``lower``."""

    relation: int
    name: str
    through: str = ""


@dataclass(frozen=True)
class Relation:
    """A table that a statement names."""

    oid: int
    columns: Mapping[str, int]  # name → place
    view: Any = field(default=None, repr=False)  # the tree of its query, where it is one


@dataclass(frozen=True)
class TableColumns(Mapping[str, "tuple[ColumnOf, str] | None"]):
    """The columns of a table that goes by an alias; nothing is copied, for a table may have 1,600."""

    relation: Relation
    alias: str

    def __getitem__(self, name: str) -> tuple[ColumnOf, str]:
        if name not in self.relation.columns:
            raise KeyError(name)
        return ColumnOf(self.relation.oid, name), self.alias

    def __contains__(self, name: object) -> bool:
        return name in self.relation.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.relation.columns)

    def __len__(self) -> int:
        return len(self.relation.columns)


Outputs = Mapping[str, tuple[ColumnOf, str] | None]


@dataclass
class Scope:
    """The names that an expression sees: sources by alias, queries of WITH, and what is around it."""

    around: Scope | None = None
    sources: dict[str, Outputs] = field(default_factory=dict)
    queries: dict[str, Outputs] = field(default_factory=dict)

    def query(self, name: str) -> Outputs | None:
        if name in self.queries:
            return self.queries[name]
        return self.around.query(name) if self.around else None

    def column(self, names: tuple[str, ...]) -> tuple[ColumnOf, str] | None:
        """The column that *names* mean, with its alias; None where they are none of a table's."""
        *qualifiers, name = names
        if qualifiers:
            holders = [self.sources[qualifiers[-1]]] if qualifiers[-1] in self.sources else []
        else:
            holders = [source for source in self.sources.values() if name in source]
        if holders:  # several where it is joined by its name
            return holders[0].get(name)
        return self.around.column(names) if self.around else None


def renamed(outputs: Outputs, alias: Any) -> Outputs:
    """*outputs* under the names that *alias* gives to its columns, where it does."""
    given = [each.sval for each in getattr(alias, "colnames", None) or ()]
    if not given:
        return outputs
    names = [*given, *list(outputs)[len(given) :]]
    return dict(zip(names, outputs.values(), strict=False))
