"""The names in an intent file, looked up in the database's catalog."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from workbench.areas.security.intent.model import TableName
from workbench.catalog.model import Catalog, Table, qualified, quoted
from workbench.errors import printable

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
NAME_BYTES = 63  # NAMEDATALEN - 1: PostgreSQL cuts what is longer (manual, section 4.1.1)


class UnknownName(Exception):
    """A name that is not in the catalog or not allowed; the message says what to do."""


def split_name(text: str) -> tuple[str, ...]:
    """The parts of a dotted name, ``shop."My Table"`` → (shop, My Table). Raises UnknownName."""
    parts: list[str] = []
    position = 0
    while match := _PART.match(text, position):
        parts.append(match[1].replace('""', '"') if match[1] is not None else match[2].strip())
        position = match.end()
        if position == len(text):
            return tuple(parts)
        if text[position] != ".":
            break
        position += 1
    raise UnknownName(
        f'{printable(text)} is no name: write schema.table, odd names as "My Schema"."My Table"'
    )


@dataclass(frozen=True)
class Names:
    """Looks names up: a part is taken as it is written, else in lower case as SQL would."""

    catalog: Catalog
    own_schemas: frozenset[str] = frozenset()

    def all_tables(self) -> tuple[TableName, ...]:
        """Every base table, without those in the schemas that the design makes itself."""
        return tuple(
            sorted(
                (table.schema, table.name)
                for table in self.catalog.base_tables
                if table.schema not in self.own_schemas
            )
        )

    def table(self, text: str) -> Table:
        """The base table that *text* names. Raises UnknownName."""
        parts = split_name(text)
        if len(parts) > 2:
            raise UnknownName(f"{printable(text)} has {len(parts)} parts: write schema.table")
        found = self._tables(parts)
        if len(found) > 1:
            where = " and ".join(each.qualified for each in found)
            raise UnknownName(f"{printable(text)} may be {where}: write the schema as well")
        if not found:
            raise UnknownName(self._no_table(text, parts))
        return self._base_table(found[0])

    def column(self, text: str) -> tuple[Table, str]:
        """The table and the column of ``schema.table.column``. Raises UnknownName."""
        parts = split_name(text)
        if len(parts) != 3:
            raise UnknownName(f"{printable(text)} is no column: write schema.table.column")
        table = self.table(qualified(*parts[:2]))
        return table, self.column_of(table, parts[2])

    def column_of(self, table: Table, text: str) -> str:
        """The column *text* of *table*, which may be quoted. Raises UnknownName."""
        names = [column.name for column in table.columns]
        unquoted = text[1:-1].replace('""', '"') if re.fullmatch(r'"(?:[^"]|"")+"', text) else text
        for each in (text, unquoted, unquoted.lower()):
            if each in names:
                return each
        raise UnknownName(f"{table.qualified} has no column {printable(text)}: {_near(unquoted, names)}")

    def _tables(self, parts: tuple[str, ...]) -> list[Table]:
        lowered = tuple(each.lower() for each in parts)
        return self._by_name.get(parts) or self._by_name.get(lowered) or []

    @cached_property
    def _by_name(self) -> dict[tuple[str, ...], list[Table]]:
        """The tables by their names, with their schemas and without."""
        found: dict[tuple[str, ...], list[Table]] = {}
        for each in self.catalog.tables:
            found.setdefault((each.schema, each.name), []).append(each)
            found.setdefault((each.name,), []).append(each)
        return found

    def _no_table(self, text: str, parts: tuple[str, ...]) -> str:
        known = [each.qualified for each in self.catalog.base_tables]
        if len(parts) == 2 and parts[0] not in self.catalog.schemas:
            return f"there is no schema {printable(quoted(parts[0]))} for {printable(text)}: " + _near(
                parts[0], self.catalog.schemas
            )
        return f"there is no table {printable(text)}: {_near(qualified(*parts), known)}"

    def _base_table(self, table: Table) -> Table:
        if table.partition_of is not None:
            root = table
            while root.partition_of is not None:
                root = self.catalog.table(*root.partition_of)
            raise UnknownName(f"{table.qualified} is a partition: name its parent {root.qualified}")
        if table.kind in ("view", "materialized view"):
            raise UnknownName(
                f"{table.qualified} is a {table.kind}: rules are about tables, name those that it reads"
            )
        if table.kind == "foreign table":
            raise UnknownName(
                f"{table.qualified} is a foreign table, which row security cannot guard: "
                "make the rules on the server that holds it, and leave it out here"
            )
        return table


def name_problem(name: str, what: str) -> str | None:
    """Why *name* cannot be the name of a new *what*, or None."""
    if not name.strip():
        return f"the name of a {what} is empty: give it one"
    if "\0" in name:
        return f"the name of a {what} holds a zero byte: take it out"
    if len(name.encode()) > NAME_BYTES:
        length = len(name.encode())
        return f"{what} {printable(name)} has {length} bytes: PostgreSQL keeps {NAME_BYTES}, shorten it"
    reserved = ("public", "none", "current_user", "current_role", "session_user")
    if name.startswith("pg_") or (what != "schema" and name in reserved):
        return f"{what} {printable(name)} is a name that PostgreSQL keeps for itself: choose another"
    return None


def _near(wanted: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(wanted, names, 1, 0.6)
    if near:
        return f"did you mean {printable(near[0])}?"
    if not names:
        return "there is none in the database"
    shown = ", ".join(printable(each) for each in names[:8])
    return f"there are {shown}" + (f" and {len(names) - 8} more" if len(names) > 8 else "")
