"""The cross product of one role and one table: every operation, on rows of every kind and on columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from psycopg2 import sql as composed

from workbench.areas.security.attacks.actors import Actor
from workbench.areas.security.attacks.cases import Case, assigned, copied, listed, literals, statement
from workbench.areas.security.attacks.expectation import Expectation
from workbench.areas.security.attacks.relations import writable
from workbench.areas.security.attacks.rows import Sample, columns_named
from workbench.catalog.model import Table, qualified
from workbench.engines.postgres import Connection

_MERGE_SINCE = 150_000
_BEFORE_INSERT = re.compile(r" BEFORE (\w+ OR )*INSERT ")
_BEFORE_UPDATE = re.compile(r" BEFORE (\w+ OR )*UPDATE ")
_TRUE = composed.SQL("true")


@dataclass
class TableCases:
    """All that *actor* tries with one table that the intent speaks of, or leaves to nobody."""

    conn: Connection  # says how literals are quoted, and counts rows that look alike
    actor: Actor
    expected: Expectation
    left_out: list[str]

    @property
    def table(self) -> Table:
        return self.expected.table

    def cases(self) -> Iterator[Case]:
        """Every case, each key once."""
        yield from self._reach()
        yield from self._columns()
        if self.table.kind != "foreign table":  # whether its wrapper can is asked before who may
            yield self._case("truncate", "any", "refused", self._say("truncate"), by_privilege=True)
        if not self.writable:
            return
        yield self._copy_to()
        yield from self._moved()
        for label, suffix, sample in self.samples:
            inserts = [
                replace(each, before=self._before(_BEFORE_INSERT)) for each in self._inserted(label, sample)
            ]
            for case in (*self._keyed(label, sample), *inserts):
                yield replace(case, key=case.key + suffix, name=case.name + suffix.replace("/", ", "))

    def _before(self, event: re.Pattern[str]) -> tuple[str, ...]:
        """The functions that see a new row before a policy does."""
        return tuple(each.function for each in self.table.triggers if event.search(each.definition))

    def _moved(self) -> Iterator[Case]:
        """All rows in reach changed into rows out of reach: given away, or past the condition.

        It names no row, for then it would be the right to read that refuses the new one.
        """
        updated = self.expected.columns("update")
        inside = next((s for _, _, s in self.samples if self.expected.allows("update", s, updated)), None)
        if not updated or inside is None:
            return
        deciding = self._deciding_updates
        for label, suffix, outside in self.samples:
            changed = {
                each: outside.values[each]
                for each in sorted(deciding)
                if outside.values[each] != inside.values[each]
            }
            if self.expected.reached("update", outside) is None and changed and set(changed) <= set(updated):
                yield self._case(
                    "update", "any", "refused", self._say("update all", assignments=assigned(changed)),
                    part=f"all rows into {label}{suffix}",
                    before=self._before(_BEFORE_UPDATE),
                )  # fmt: skip

    @cached_property
    def _deciding_updates(self) -> frozenset[str]:
        """The columns that decide whether an update of the role's reaches a row."""
        found = self.expected.permission("update")
        grants = found.grants if found else ()
        named = columns_named(self.table, " ".join(where for _, where, _ in grants if where))
        own = any(rows == "own" for rows, _, _ in grants)
        return named | self.expected.rows.owning if own else named

    @cached_property
    def samples(self) -> tuple[tuple[str, str, Sample], ...]:
        """A row of each kind that matters to the role: whose it is, what marks the case, and the row."""
        found: dict[tuple[str, str], Sample] = {}
        relevant = self._relevant
        for sample in self.expected.rows.samples:
            suffix = "".join(f"/{'' if sample.meets[each] else 'not '}{each}" for each in relevant)
            found.setdefault((self._label(sample), suffix), sample)
        return tuple((label, suffix, sample) for (label, suffix), sample in found.items())

    @cached_property
    def _relevant(self) -> tuple[str, ...]:
        """The conditions that the role's own permissions put on rows."""
        permissions = [self.expected.permission(each) for each in ("select", "insert", "update", "delete")]
        found = [where for each in permissions if each for _, where, _ in each.grants if where]
        return tuple(dict.fromkeys(found))

    def _label(self, sample: Sample) -> str:
        if self.actor.identity or sample.whose in ("any", "unowned"):
            return sample.whose
        return "other" if self.actor.identified else "any"

    @cached_property
    def selected(self) -> tuple[str, ...]:
        return self.expected.columns("select")

    @cached_property
    def writable(self) -> tuple[str, ...]:
        """The columns that a client can write at all."""
        return tuple(each.name for each in self.table.columns if writable(each))

    @cached_property
    def matching(self) -> tuple[str, ...]:
        """The columns by which a row is named: the key where that may be read, else all that may be."""
        key = self.expected.rows.key
        if not self.selected:
            return key
        return key if key and set(key) <= set(self.selected) else self.selected

    def _row(self, sample: Sample) -> composed.Composable:
        """The condition that names the row of *sample*."""
        if not self.matching:
            return _TRUE
        if self.matching == self.expected.rows.key:
            pattern = composed.SQL("{} = {}")
        else:
            pattern = composed.SQL("{}::text is not distinct from {}")
        return composed.SQL(" and ").join(
            pattern.format(composed.Identifier("t", each), composed.Literal(sample.values[each]))
            for each in self.matching
        )

    def _named(self, sample: Sample) -> bool:
        """Whether the role can name the row of *sample* without naming rows of another kind, too."""
        if not self.matching or self.matching == self.expected.rows.key:
            return True
        alike = self.conn.execute(
            composed.SQL("select pg_catalog.count(*) from {} as t where {}").format(
                composed.Identifier(self.table.schema, self.table.name), self._row(sample)
            )
        ).fetchone()
        if alike and alike[0] == 1:
            return True
        self.left_out.append(
            f"{self.table.qualified}: what {self.actor.role} may read does not tell its rows apart, "
            f"so single rows were not tried ({sample.whose})"
        )
        return False

    # what is reached without naming a row

    def _reach(self) -> Iterator[Case]:
        """How many rows each operation reaches, all at once and whatever the role may not read."""
        yield self._counted("select", "select count", "count", self.selected[:1])
        if values := self._any_values(self.expected.columns("update") or self.writable):
            yield self._counted(
                "update", "update count", "counter", tuple(values), assignments=assigned(values)
            )
        yield self._counted("delete", "delete count", "counter", ())
        if self.expected.permission("insert") is None:
            yield self._case(
                "insert", "any", "refused", self._say("insert defaults"), by_privilege=True, part="any column"
            )

    def _counted(self, operation: Any, name: str, how: Any, columns: Sequence[str], **values: Any) -> Case:
        permitted = self.expected.permission(operation) is not None
        count = self.expected.count(operation, columns) if permitted else 0
        return self._case(
            operation,
            "any",
            "allowed" if self.expected.has_rows(operation) else "refused",
            self._say(name, **values),
            how=how,
            declared_rows=count if permitted else None,
            by_privilege=not permitted,
            part="all rows",
        )

    def _any_values(self, columns: Sequence[str]) -> dict[str, str | None]:
        """Values for *columns*: of some row, or null where there is no row."""
        samples = self.expected.rows.samples
        return {each: samples[0].values[each] if samples else None for each in columns}

    def _columns(self) -> Iterator[Case]:
        """Each column that the role may not read, write or insert (that one beside the allowed ones)."""
        if self.selected:
            for each in self.expected.forbidden("select"):
                yield self._forbidden("select", each, self._say("select column", columns=listed([each], "t")))
        for each in self.writable:
            if each not in self.expected.columns("update"):
                values = assigned(self._any_values([each]))
                yield self._forbidden(
                    "update", each, self._say("update count", assignments=values), how="counter"
                )
        allowed = self.expected.columns("insert")
        sample = next((s for _, _, s in self.samples if self.expected.allows("insert", s, allowed)), None)
        if allowed and not self.samples and not self.expected.rows.deciding:
            nothing = self._say("insert", columns=listed(allowed), values=literals([None] * len(allowed)))
            yield self._case("insert", "any", "allowed", nothing, part="an empty row")
        if not allowed or sample is None:
            return
        for each in self.writable:
            if each not in allowed:
                columns = [*allowed, each]
                yield self._forbidden("insert", each, self._insert("insert", columns, sample))

    def _forbidden(self, operation: str, column: str, text: str, how: Any = "plain") -> Case:
        return self._case(
            operation, "any", "refused", text, how=how, by_privilege=True, part=f"column {qualified(column)}"
        )

    def _copy_to(self) -> Case:
        columns = self.selected or tuple(each.name for each in self.table.columns)
        plain = self.table.kind == "table" and not self.expected.rows.has_children
        if plain:  # COPY of a table leaves out what is generated
            columns = tuple(each for each in columns if not self.table.column(each).generated)
        return self._case(
            "copy to",
            "any",
            "allowed" if self.expected.has_rows("select") else "refused",
            self._say(
                "copy to" if plain else "copy query to", columns=listed(columns, None if plain else "t")
            ),
            how="copy to",
            declared_rows=self.expected.count("select", columns) if self.selected else None,
            by_privilege=not self.selected,
        )

    # what is tried with one row

    def _keyed(self, label: str, sample: Sample) -> Iterator[Case]:
        if not self._named(sample):
            return
        row = self._row(sample)
        updated = self._of("update", sample)
        deleted = self.expected.permission("delete") is not None
        readable = bool(self.selected)
        columns = self._of("select", sample)
        seen = readable and self.expected.allows("select", sample, {*self.matching, *columns})
        named = readable and self.expected.allows("select", sample, self.matching)
        may_update = self.expected.allows("update", sample, updated)
        may_delete = self.expected.allows("delete", sample)
        none = self.expected.permission("update") is None
        assignments = assigned({each: sample.values[each] for each in updated})

        def case(operation: str, allowed: bool, closed: bool, name: str, **values: Any) -> Case:
            return self._case(
                operation,
                label,
                "allowed" if allowed else "refused",
                self._say(name, row=row, **values),
                by_privilege=closed,
            )

        shown = listed(columns, "t")
        yield case("select", seen, not readable, "select", columns=shown)
        yield case("for update", seen and may_update, not readable or none, "for update", columns=shown)
        if readable or none:
            yield case(
                "update", named and may_update, not readable or none, "update", assignments=assignments
            )
        if readable or not deleted:
            yield case("delete", named and may_delete, not (readable and deleted), "delete")
        if not none or not (deleted or self.expected.permission("insert")):
            yield case(
                "returning", seen and may_update, not readable or none, "update returning",
                assignments=assignments, columns=shown,
            )  # fmt: skip
        elif deleted:
            yield case("returning", seen and may_delete, not readable, "delete returning", returned=shown)
        yield from self._merged(label, sample, row, updated, named and may_update, named and may_delete)

    def _merged(
        self,
        label: str,
        sample: Sample,
        row: composed.Composable,
        updated: Sequence[str],
        may_update: bool,
        may_delete: bool,
    ) -> Iterator[Case]:
        if self.conn.server_version < _MERGE_SINCE or self.table.kind == "foreign table":
            return
        permissions = {each: self.expected.permission(each) for each in ("update", "delete", "insert")}
        values: Mapping[str, Any]
        if permissions["update"] or not any(permissions.values()):
            allowed = may_update
            name, values = (
                "merge update",
                {"assignments": assigned({each: sample.values[each] for each in updated})},
            )
        elif permissions["delete"]:
            allowed, name, values = may_delete, "merge delete", {}
        else:
            return  # with the inserts
        yield self._case(
            "merge",
            label,
            "allowed" if allowed else "refused",
            self._say(name, row=row, **values),
            by_privilege=not self.selected or not any(permissions.values()),
        )

    def _inserted(self, label: str, sample: Sample) -> Iterator[Case]:
        permitted = self.expected.permission("insert") is not None
        columns = self.expected.columns("insert") or self.writable
        if permitted and not self._decides(columns):
            return
        allowed = self.expected.allows("insert", sample, columns)
        yield self._case(
            "insert", label, "allowed" if allowed else "refused", self._insert("insert", columns, sample),
            by_privilege=not permitted,
        )  # fmt: skip
        if self.table.kind != "foreign table":
            yield self._case(
                "copy from", label, "allowed" if allowed else "refused",
                self._say("copy from", columns=listed(columns)),
                how="copy from", sent=copied(sample.values[each] for each in columns),
                by_privilege=not permitted,
            )  # fmt: skip
        if not permitted or self.expected.permission("update") or self.expected.permission("delete"):
            return
        readable = self.selected
        seen = bool(readable) and self.expected.allows("select", sample, self._of("select", sample))
        yield self._case(
            "returning", label, "allowed" if allowed and seen else "refused",
            self._insert("insert returning", columns, sample, returned=listed(self._of("select", sample))),
            by_privilege=not readable,
        )  # fmt: skip
        if (
            self.conn.server_version >= _MERGE_SINCE
            and self.table.kind != "foreign table"
            and self._named(sample)
        ):
            yield self._case(
                "merge", label, "allowed" if allowed and readable else "refused",
                self._insert("merge insert", columns, sample, row=self._row(sample)),
                by_privilege=not readable,
            )  # fmt: skip

    def _decides(self, columns: Sequence[str]) -> bool:
        """Whether the values of *columns* alone decide whose the new row is and which conditions it meets."""
        deciding = self.expected.rows.deciding
        if not self.expected.limited or deciding <= set(columns):
            return True
        names = ", ".join(sorted(deciding - set(columns)))
        line = (
            f"{self.table.qualified}: {self.actor.role} inserts no value of {names}, so whose the new row "
            "is was not tried"
        )
        if line not in self.left_out:
            self.left_out.append(line)
        return False

    # how a case is written

    def _of(self, operation: Any, sample: Sample) -> tuple[str, ...]:
        """The columns that *operation* reaches in the row, else in any, else all of them."""
        reached = self.expected.reached(operation, sample)
        names = reached if reached else self.expected.columns(operation)
        usable = self.writable if operation == "update" else tuple(each.name for each in self.table.columns)
        return tuple(each for each in usable if each in names) or usable

    def _insert(self, name: str, columns: Sequence[str], sample: Sample, **more: Any) -> str:
        return self._say(
            name, columns=listed(columns), values=literals(sample.values[each] for each in columns), **more
        )

    def _say(self, name: str, **values: Any) -> str:
        return statement(
            self.conn, name, table=composed.Identifier(self.table.schema, self.table.name), **values
        )

    def _case(
        self, operation: str, row: str, declared: Any, text: str, *, part: str = "", **more: Any
    ) -> Case:
        who = self.actor.role + (f"@{self.actor.identity}" if self.actor.identity else "")
        key = "/".join(filter(None, (who, self.table.qualified, operation, row, part)))
        name = f"{operation} {part or row + ' row'}"
        return Case(
            key, name, self.actor.role, self.actor.identity, operation, text, declared,
            (self.table.schema, self.table.name), row, **more,
        )  # fmt: skip
