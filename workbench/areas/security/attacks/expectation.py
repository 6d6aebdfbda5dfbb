"""What the intent says of an attempt. It knows nothing of grants and policies, which are what is tested.

What a statement needs is PostgreSQL's own: a row that is named in WHERE or RETURNING must be readable
(CREATE POLICY, "Policies Applied by Command Type"), and every column that is read or written needs its
privilege (GRANT).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from workbench.areas.security.attacks.rows import Sample, TableRows
from workbench.areas.security.intent.model import Operation, Permission, TableName
from workbench.catalog.model import Table

Permitted = Callable[[str, TableName, Operation], Permission | None]


@dataclass(frozen=True)
class Expectation:
    """What *role* may do with the rows of one table; of *acting* it does so for identity A.

    A role that acts for nobody has no rows of its own.
    """

    role: str
    acting: bool
    rows: TableRows
    permitted: Permitted

    @property
    def table(self) -> Table:
        return self.rows.table

    def permission(self, operation: Operation) -> Permission | None:
        return self.permitted(self.role, (self.table.schema, self.table.name), operation)

    def columns(self, operation: Operation) -> tuple[str, ...]:
        """The columns that *operation* reaches in some row, in the table's order."""
        found = self.permission(operation)
        return tuple(each.name for each in self.table.columns if found and each.name in found.columns)

    def forbidden(self, operation: Operation) -> tuple[str, ...]:
        """The columns that *operation* reaches in no row."""
        allowed = self.columns(operation)
        return tuple(each.name for each in self.table.columns if each.name not in allowed)

    def has_rows(self, operation: Operation) -> bool:
        """Whether some row could be among those that *operation* reaches: own ones need an identity."""
        found = self.permission(operation)
        return found is not None and any(rows == "all" or self.acting for rows, _, _ in found.grants)

    def reached(self, operation: Operation, sample: Sample) -> frozenset[str] | None:
        """The columns of rows like *sample* that *operation* reaches; None where it reaches no such row."""
        found = self.permission(operation)
        met = [
            columns
            for rows, where, columns in (found.grants if found else ())
            if (rows == "all" or (self.acting and sample.whose == "own"))
            and (where is None or sample.meets[where])
        ]
        return frozenset(name for columns in met for name in columns) if met else None

    def allows(self, operation: Operation, sample: Sample, columns: Iterable[str] = ()) -> bool:
        """Whether *operation* reaches rows like *sample* and all of *columns* in them."""
        found = self.reached(operation, sample)
        return found is not None and set(columns) <= found

    def count(self, operation: Operation, columns: Iterable[str] = ()) -> int:
        """How many rows *operation* reaches with all of *columns*."""
        wanted = tuple(columns)
        return sum(each.count for each in self.rows.samples if self.allows(operation, each, wanted))

    @property
    def limited(self) -> bool:
        """Whether the rows matter at all: some operation reaches some of them and not all."""
        return self.rows.owned or any(each.meets for each in self.rows.samples)
