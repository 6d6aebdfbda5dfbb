"""An intent from its file, every name in it looked up in the database's catalog."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from workbench import sql
from workbench.areas.security.intent import document as file
from workbench.areas.security.intent.checks import problems_of
from workbench.areas.security.intent.document import Document, RuleSection, parse
from workbench.areas.security.intent.model import (
    OPERATIONS,
    AuditIntent,
    Identity,
    Intent,
    Label,
    Operation,
    RoleIntent,
    RowOwner,
    Rule,
    TableName,
)
from workbench.areas.security.intent.names import Names, UnknownName, name_problem
from workbench.areas.security.intent.problems import IntentError, Problem
from workbench.catalog.model import Catalog, Table
from workbench.errors import BadInput, printable

_EXAMPLE = "security/intents/ecommerce.yaml"
_UNITS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_MAX_BYTES = 10_000_000
Found = TypeVar("Found")


def read_intent(source: Path | str, catalog: Catalog) -> Intent:
    """The intent of the file *source*, or of the YAML text *source*, for the database of *catalog*.

    A table is named as ``schema.table``, each part in double quotes where SQL would need it; ``all``
    stands for all base tables but those of the design's own schemas. A name without quotes is taken as
    it is written, and in lower case where there is none such.
    Raises IntentError, which holds every problem with its line; BadInput for a file that cannot be read.
    """
    text, path = _text(source)
    document = parse(text, path)
    builder = _Builder(document, catalog)
    intent = builder.intent()
    problems = builder.problems or problems_of(intent, catalog)
    if problems:
        raise IntentError(path, problems)
    return intent


def require_intent(source: Path) -> None:
    """What can be said of the file *source* before its database is there: that it is an intent in form.

    Raises IntentError, which holds every problem with its line; BadInput for a file that cannot be read.
    """
    parse(*_text(source))


def example_intent(catalog: Catalog) -> Intent:
    """The intent of the built-in e-commerce example, whose *catalog* is given."""
    return read_intent(sql.path(_EXAMPLE), catalog)


def _text(source: Path | str) -> tuple[str, str]:
    if isinstance(source, str):
        return source, "intent"
    shown = printable(str(source))
    try:
        content = source.read_bytes()
    except OSError as exc:
        raise BadInput(
            f"{shown}: the intent cannot be read: {exc.strerror or exc}: name a YAML file"
        ) from exc
    if len(content) > _MAX_BYTES:
        raise BadInput(f"{shown}: {len(content):,} bytes are no intent: name a YAML file below 10 MB")
    try:
        return content.decode("utf-8-sig"), shown
    except UnicodeDecodeError as exc:
        line = content[: exc.start].count(b"\n") + 1
        raise BadInput(f"{shown}:{line}: this is not UTF-8: save the file in that encoding") from exc


@dataclass
class _Builder:
    """Makes the facts from the document; what cannot be looked up becomes a problem and is left out."""

    document: Document
    catalog: Catalog
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        content = self.document.content
        audit = {content.audit.schema_} if content.audit else set()
        self.names = Names(self.catalog, frozenset({content.schema_, *audit}))
        self.roles = set(content.roles)

    def intent(self) -> Intent:
        content = self.document.content
        self._check_name(content.intent, "intent", "intent")
        self._check_name(content.schema_, "schema", "schema")
        return Intent(
            name=content.intent,
            roles=tuple(self._role(name, each) for name, each in content.roles.items()),
            rules=self._rules("rules", content.rules),
            never=self._rules("never", content.never),
            owners=self._owners(),
            labels=tuple(self._label(name, each) for name, each in content.labels.items()),
            audit=self._audit(content.audit),
            identity=self._identity(content.identity),
            schema=content.schema_,
            path=self.document.path,
        )

    def _problem(self, text: str, *location: str | int) -> None:
        self.problems.append(Problem(self.document.line(*location), text))

    def _check_name(self, name: str, what: str, *location: str | int) -> None:
        if wrong := name_problem(name, what):
            self._problem(wrong, *location)

    def _known_roles(self, names: list[str], *location: str | int) -> tuple[str, ...]:
        for number, name in enumerate(names):
            if name not in self.roles:
                known = ", ".join(printable(each) for each in self.document.content.roles)
                self._problem(
                    f"there is no role {printable(name)}: declare it under roles, where there are {known}",
                    *location,
                    number,
                )
        return tuple(dict.fromkeys(name for name in names if name in self.roles))

    def _table(self, name: str, *location: str | int) -> Table | None:
        try:
            return self.names.table(name)
        except UnknownName as exc:
            self._problem(str(exc), *location)
            return None

    def _tables(self, names: list[str], *location: str | int) -> tuple[TableName, ...]:
        if names == ["all"]:
            return self.names.all_tables()
        if "all" in names:
            self._problem("all stands alone: leave the tables beside it out", *location)
            names = [each for each in names if each != "all"]
        found = [self._table(name, *location, number) for number, name in enumerate(names)]
        return tuple(dict.fromkeys((each.schema, each.name) for each in found if each))

    def _columns(self, table: Table, names: list[str], *location: str | int) -> tuple[str, ...]:
        found: list[str] = []
        for number, name in enumerate(names):
            try:
                found.append(self.names.column_of(table, name))
            except UnknownName as exc:
                self._problem(str(exc), *location, number)
        return tuple(dict.fromkeys(found))

    def _role(self, name: str, section: file.RoleSection) -> RoleIntent:
        self._check_name(name, "role", "roles", name)
        return RoleIntent(
            name=name,
            kind=section.kind,
            description=section.description,
            inherits=self._known_roles(section.inherits, "roles", name, "inherits"),
            identified=section.identified,
            existing=section.existing,
            connection_limit=section.connection_limit,
            line=self.document.line("roles", name),
        )

    def _identity(self, section: file.IdentitySection | None) -> Identity | None:
        if section is None:
            return None
        lifetime_s = self._lifetime_s(section.token_lifetime)
        try:
            table, column = self.names.column(section.is_)
        except UnknownName as exc:
            self._problem(str(exc), "identity", "is")
            return None
        stored = table.column(column).type
        if section.type is not None and section.type not in (stored, table.column(column).base_type):
            self._problem(
                f"{section.is_} is of type {stored}, not {section.type}: write that, or leave the type out",
                "identity",
                "type",
            )
        return Identity(
            (table.schema, table.name),
            column,
            section.type or table.column(column).base_type,
            lifetime_s,
            self.document.line("identity"),
        )

    def _lifetime_s(self, text: str) -> int:
        match = re.fullmatch(r"([0-9]{1,6})\s*(second|minute|hour|day)s?", text.strip())
        seconds = int(match[1]) * _UNITS_S[match[2]] if match else 0
        if not 0 < seconds <= 86_400:
            self._problem(
                f"a token cannot live {printable(text)}: write such as 15 minutes, at most 1 day",
                "identity",
                "token_lifetime",
            )
        return seconds

    def _owners(self) -> dict[TableName, RowOwner]:
        found: dict[TableName, RowOwner] = {}
        for name, section in self.document.content.owners.items():
            owner = self._owner(name, section)
            if owner is not None and found.setdefault(owner.table, owner) is not owner:
                self._problem(f"{name} is said twice: keep one of them", "owners", name)
        return found

    def _owner(self, name: str, section: file.OwnerSection) -> RowOwner | None:
        at = ("owners", name)
        table = self._table(name, *at)
        if table is None:
            return None
        here, line = (table.schema, table.name), self.document.line(*at)
        if section.column is not None:
            if section.of or section.columns or section.parent_columns:
                self._problem(f"{name} has an owner column and a parent: keep one of them", *at)
            columns = self._columns(table, [section.column], *at, "column")
            return RowOwner(here, columns[0], line=line) if columns else None
        if section.of is None or not section.columns:
            self._problem(f"{name}: write the owner's column, or columns and of (the parent table)", *at)
            return None
        parent = self._table(section.of, *at, "of")
        columns = self._columns(table, section.columns, *at, "columns")
        if parent is None or len(columns) < len(section.columns):
            return None
        if section.parent_columns:
            pairs = self._columns(parent, section.parent_columns, *at, "parent_columns")
        else:
            pairs = _referenced(table, columns, parent)
        return RowOwner(here, None, (parent.schema, parent.name), columns, pairs, line)

    def _label(self, name: str, section: file.LabelSection) -> Label:
        at = ("labels", name)
        self._check_name(name, "label", *at)
        columns: list[tuple[str, str, str]] = []
        for table_name, names in section.columns.items():
            if (table := self._table(table_name, *at, "columns", table_name)) is not None:
                found = self._columns(table, names, *at, "columns", table_name)
                columns.extend((table.schema, table.name, each) for each in found)
        return Label(
            name,
            tuple(columns),
            self._known_roles(section.seen_by, *at, "seen_by"),
            section.audited,
            section.encrypted,
            self.document.line(*at),
        )

    def _rules(self, key: str, sections: list[RuleSection]) -> tuple[Rule, ...]:
        return tuple(rule for number, each in enumerate(sections) for rule in self._rule(each, key, number))

    def _rule(self, section: RuleSection, *at: str | int) -> list[Rule]:
        tables = self._tables(section.on, *at, "on")
        columns = None
        if section.columns is not None:
            per_table = [
                self._columns(self.catalog.table(*each), section.columns, *at, "columns") for each in tables
            ]
            columns = tuple(dict.fromkeys(name for each in per_table for name in each))
        return [
            Rule(
                role,
                tables,
                _operations(section),
                section.rows,
                section.where,
                columns,
                self.document.line(*at),
            )
            for role in self._known_roles(section.role, *at, "role")
        ]

    def _audit(self, section: file.AuditSection | None) -> AuditIntent | None:
        if section is None:
            return None
        self._check_name(section.schema_, "schema", "audit", "schema")
        by_row = self._tables(section.by_row, "audit", "by_row")
        tables = self._tables(section.tables, "audit", "tables")
        return AuditIntent(
            tables=tables,
            by_row=by_row,
            readers=self._known_roles(section.readers, "audit", "readers"),
            retention_months=section.retention_months,
            schema=section.schema_,
            truncate=section.truncate,
            line=self.document.line("audit"),
        )


def _operations(section: RuleSection) -> tuple[Operation, ...]:
    asked = set(OPERATIONS) if "all" in section.may else set(section.may)
    return tuple(each for each in OPERATIONS if each in asked)


def _referenced(table: Table, columns: tuple[str, ...], parent: Table) -> tuple[str, ...]:
    """What *columns* pair with in *parent* by a foreign key; () where there is none that has them."""
    for key in table.foreign_keys:
        if key.references == (parent.schema, parent.name):
            pairs = dict(zip(key.columns, key.referenced_columns, strict=True))
            if set(columns) <= set(pairs):
                return tuple(pairs[each] for each in columns)
    return ()
