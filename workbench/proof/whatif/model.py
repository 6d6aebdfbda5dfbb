"""The vocabulary of what-if questions: an index that could be, and what is known of one that was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from psycopg2 import sql as composed

Method = Literal["btree", "hash", "gin", "gist", "spgist", "brin"]


@dataclass(frozen=True, order=True)
class Key:
    """A key of an index: a column's name, or with *is_expression* the text of an expression.

    *operator_class* is its name, qualified where it is not the system's; empty for the default one.
    """

    text: str
    is_expression: bool = False
    descending: bool = False
    nulls_first: bool | None = None  # None: the default of the direction
    operator_class: tuple[str, ...] = ()

    def composed(self) -> composed.Composable:
        """The key as it stands in CREATE INDEX."""
        key: composed.Composable = (
            composed.SQL("({})").format(composed.SQL(self.text))
            if self.is_expression
            else composed.Identifier(self.text)
        )
        if self.operator_class:
            key += composed.SQL(" ") + composed.Identifier(*self.operator_class)
        if self.descending:
            key += composed.SQL(" desc")
        if self.nulls_first is not None and self.nulls_first != self.descending:
            key += composed.SQL(" nulls first" if self.nulls_first else " nulls last")
        return key


@dataclass(frozen=True, order=True)
class IndexDefinition:
    """An index as one would create it; *predicate* is the text of a partial index's condition."""

    schema: str
    table: str
    keys: tuple[Key, ...]
    included: tuple[str, ...] = ()
    predicate: str = ""
    method: Method = "btree"

    def create(self, name: str, *, concurrently: bool = False, only: bool = False) -> composed.Composed:
        """The CREATE INDEX statement; an index goes into its table's schema.

        With *only* it is that of a partitioned table alone, invalid until all partitions' are attached.
        """
        return composed.SQL("create index {}{} on {}{} using {} ({}){}{}").format(
            composed.SQL("concurrently " if concurrently else ""),
            composed.Identifier(name),
            composed.SQL("only " if only else ""),
            composed.Identifier(self.schema, self.table),
            composed.SQL(self.method),
            composed.SQL(", ").join([key.composed() for key in self.keys]),
            composed.SQL(" include ({})").format(
                composed.SQL(", ").join([composed.Identifier(each) for each in self.included])
            )
            if self.included
            else composed.SQL(""),
            composed.SQL(" where ") + composed.SQL(self.predicate) if self.predicate else composed.SQL(""),
        )


@dataclass(frozen=True)
class WhatIfIndex:
    """A candidate that exists in the clone, hidden until it is asked for.

    *oid* and *name* are the clone's; *size_bytes* is the predicted size of the main fork.
    """

    definition: IndexDefinition
    oid: int
    name: str
    size_bytes: int
    rows: float


@dataclass(frozen=True)
class Refused:
    """A candidate that the engine would not create, and why, in one line."""

    definition: IndexDefinition
    reason: str


@dataclass(frozen=True)
class Added:
    """What became of the candidates that were given, in their order."""

    indexes: Sequence[WhatIfIndex]
    refused: Sequence[Refused] = ()
