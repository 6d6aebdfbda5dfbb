"""The constraints of a catalog that can be violated, one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench import sql
from workbench.catalog.model import Catalog, Column, Constraint, Index, Table, qualified, quoted
from workbench.engines.postgres import Connection
from workbench.proof.constraints.attempt import Kind

Name = tuple[str, str, str]  # schema, table, and the name of a constraint or index
_CHECK = re.compile(
    r"CHECK \((?P<expression>.*)\)(?: NO INHERIT)?(?: NOT VALID)?(?: NOT ENFORCED)?\Z", re.DOTALL
)


@dataclass(frozen=True)
class DomainCheck:
    name: str
    expression: str  # of VALUE
    definition: str
    own: bool  # declared on the domain itself, not on one beneath it


@dataclass(frozen=True)
class Domain:
    """A domain; *base_type* is the type beneath it with modifiers, *checks* have those of domains beneath."""

    schema: str
    name: str
    base_type: str
    plain_type: str
    not_null: bool  # declared on the domain itself
    checks: tuple[DomainCheck, ...]
    of_extension: bool

    @property
    def qualified(self) -> str:
        return qualified(self.schema, self.name)


@dataclass(frozen=True)
class ConstraintTrigger:
    """A trigger of the server's own by which a constraint refuses; *enabled* is pg_trigger.tgenabled."""

    schema: str
    table: str
    name: str
    enabled: str


@dataclass(frozen=True)
class Setting:
    """What the attempts need to know beyond the catalog, read once."""

    catalog: Catalog
    domains: dict[str, Domain]
    constraint_triggers: dict[Name, tuple[ConstraintTrigger, ...]]
    copies: dict[Name, frozenset[Name]]  # of a constraint or index, on partitions
    roots: dict[Name, Name]  # the same, the other way
    partition_conditions: dict[tuple[str, str], str | None]
    always_firing: dict[tuple[str, str], tuple[tuple[str, str], ...]]  # of a table: (trigger or rule, name)
    children: dict[tuple[str, str], tuple[Table, ...]]

    def partitions(self, table: Table) -> Iterator[Table]:
        """The partitions beneath *table* on all levels, in the order of the catalog."""
        for child in self.children.get((table.schema, table.name), ()):
            yield child
            yield from self.partitions(child)

    def domain(self, column: Column) -> Domain | None:
        return self.domains.get(column.domain) if column.domain else None

    def literal_type(self, column: Column) -> str:
        """The type to cast a value of *column* to without meeting the checks of its domain."""
        domain = self.domain(column)
        return domain.base_type if domain else column.type


@dataclass(frozen=True)
class Target:
    """One constraint to violate on *table*; for a domain, *table* is one that has a column of it, or None."""

    table: Table | None
    constraint: str
    kind: Kind
    definition: str
    columns: tuple[str, ...] = ()
    expression: str = ""  # what must be false for a check, what must be true for a partial index
    declared: Constraint | None = None
    index: Index | None = None
    domain: Domain | None = None
    impossible: str = field(default="")  # why no statement can violate it

    @property
    def owner(self) -> str:
        return self.domain.qualified if self.domain else self.table.qualified if self.table else ""


def read_setting(conn: Connection, catalog: Catalog) -> Setting:
    """What the catalog leaves out, in a constant number of queries."""
    children: dict[tuple[str, str], list[Table]] = {}
    for table in catalog.tables:
        if table.partition_of:
            children.setdefault(table.partition_of, []).append(table)
    copies, roots = _inherited_names(conn)
    return Setting(
        catalog=catalog,
        domains=_domains(conn),
        constraint_triggers=_constraint_triggers(conn),
        copies=copies,
        roots=roots,
        partition_conditions={
            (row["schema"], row["name"]): row["condition"]
            for row in sql.fetch(conn, "proof/partition_conditions.sql")
        },
        always_firing=_always_firing(conn),
        children={parent: tuple(found) for parent, found in children.items()},
    )


def _domains(conn: Connection) -> dict[str, Domain]:
    rows: dict[tuple[str, str], list[dict[str, object]]] = {}
    for row in sql.fetch(conn, "proof/domains.sql"):
        rows.setdefault((row["schema"], row["name"]), []).append(row)
    found = (
        Domain(
            schema=schema,
            name=name,
            base_type=str(links[0]["base_type"]),
            plain_type=str(links[0]["plain_type"]),
            not_null=any(bool(link["not_null"]) and link["depth"] == 0 for link in links),
            checks=tuple(
                DomainCheck(
                    str(link["constraint_name"]),
                    str(link["expression"]),
                    str(link["definition"]),
                    link["depth"] == 0,
                )
                for link in links
                if link["constraint_name"] is not None
            ),
            of_extension=bool(links[0]["of_extension"]),
        )
        for (schema, name), links in rows.items()
    )
    return {domain.qualified: domain for domain in found}


def _constraint_triggers(conn: Connection) -> dict[Name, tuple[ConstraintTrigger, ...]]:
    found: dict[Name, list[ConstraintTrigger]] = {}
    for row in sql.fetch(conn, "proof/constraint_triggers.sql"):
        key = (row["schema"], row["table"], row["constraint_name"])
        found.setdefault(key, []).append(
            ConstraintTrigger(
                row["trigger_schema"], row["trigger_table"], row["trigger_name"], row["enabled"]
            )
        )
    return {key: tuple(triggers) for key, triggers in found.items()}


def _always_firing(conn: Connection) -> dict[tuple[str, str], tuple[tuple[str, str], ...]]:
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in sql.fetch(conn, "proof/always_firing.sql"):
        found.setdefault((row["schema"], row["table"]), []).append((row["kind"], row["name"]))
    return {key: tuple(names) for key, names in found.items()}


def _inherited_names(conn: Connection) -> tuple[dict[Name, frozenset[Name]], dict[Name, Name]]:
    copies: dict[Name, set[Name]] = {}
    roots: dict[Name, Name] = {}
    for row in sql.fetch(conn, "proof/inherited_names.sql"):
        root = (row["root_schema"], row["root_table"], row["root_name"])
        copy = (row["schema"], row["table"], row["name"])
        copies.setdefault(root, set()).add(copy)
        roots[copy] = root
    return {root: frozenset(found) for root, found in copies.items()}, roots


def targets(setting: Setting) -> list[Target]:
    """Every constraint once, in the order of the tables, without what partitions have from their parent."""
    found: list[Target] = []
    for table in setting.catalog.tables:
        found += _targets_of(setting, table)
    return found + [
        target for domain in setting.domains.values() for target in _domain_targets(setting, domain)
    ]


def _targets_of(setting: Setting, table: Table) -> Iterator[Target]:
    impossible = _closed(table)
    if table.kind == "view":
        return
    for constraint in table.constraints:
        if constraint.kind != "not null" and not _merely_inherited(setting, table, constraint):
            yield _constraint_target(table, constraint, impossible)
    for index in table.indexes:
        if index.unique and not index.constraint and not (table.partition_of and index.inherited):
            yield _index_target(table, index, impossible)
    yield from _not_null_targets(setting, table, impossible)
    for column in table.columns:
        if column.identity == "always" and not table.partition_of:
            yield Target(
                table,
                column.name,
                "generated identity",
                f"{quoted(column.name)} GENERATED ALWAYS AS IDENTITY",
                (column.name,),
                impossible=impossible,
            )
    for trigger in table.triggers:
        if trigger.definition.startswith("CREATE CONSTRAINT TRIGGER") and not trigger.inherited:
            yield Target(
                table,
                trigger.name,
                "constraint trigger",
                trigger.definition,
                impossible="what a trigger refuses is in its code: no row can be derived that violates it",
            )


def _closed(table: Table) -> str:
    """Why no row can be written to *table*; empty where it can."""
    if table.kind == "materialized view":
        return "a materialized view takes no rows but those of its query"
    if table.kind == "foreign table":
        return "the constraints of a foreign table are for the remote server to enforce"
    return ""


def _merely_inherited(setting: Setting, table: Table, constraint: Constraint) -> bool:
    """Whether a partition has *constraint* because its parent has it: it is tried there."""
    if not table.partition_of:
        return False
    if constraint.inherited or (table.schema, table.name, constraint.name) in setting.roots:
        return True
    parent = setting.catalog._tables_by_name.get(table.partition_of)
    return (
        constraint.kind == "check"
        and parent is not None
        and any(c.kind == "check" and c.name == constraint.name for c in parent.constraints)
    )


def _constraint_target(table: Table, constraint: Constraint, impossible: str) -> Target:
    index = next((found for found in table.indexes if found.constraint == constraint.name), None)
    expression = (index.predicate or "") if index else ""
    if constraint.kind == "check":
        expression = check_expression(constraint.definition)
    return Target(
        table=table,
        constraint=constraint.name,
        kind=constraint.kind,
        definition=constraint.definition,
        columns=constraint.columns,
        expression=expression,
        declared=constraint,
        index=index,
        impossible=impossible,
    )


def _index_target(table: Table, index: Index, impossible: str) -> Target:
    return Target(
        table=table,
        constraint=index.name,
        kind="unique index",
        definition=index.definition,
        columns=tuple(column for column in index.columns if column),
        expression=index.predicate or "",
        index=index,
        impossible=impossible,
    )


def _not_null_targets(setting: Setting, table: Table, impossible: str) -> Iterator[Target]:
    """A target a column that may not be null by itself; with a name from PostgreSQL 18 on."""
    named = {c.columns[0]: c for c in table.constraints if c.kind == "not null" and c.columns}
    parent = setting.catalog._tables_by_name.get(table.partition_of) if table.partition_of else None
    inherited = {column.name for column in parent.columns if not column.nullable} if parent else set()
    for column in table.columns:
        declared = named.get(column.name)
        if column.nullable or column.name in inherited or table.kind == "materialized view":
            continue
        if declared is None and (
            setting.catalog.server_version >= 180000 or _null_forbidden_beneath(setting, column)
        ):
            continue
        yield Target(
            table,
            declared.name if declared else column.name,
            "not null",
            declared.definition if declared else f"NOT NULL {quoted(column.name)}",
            (column.name,),
            declared=declared,
            impossible=impossible,
        )


def _null_forbidden_beneath(setting: Setting, column: Column) -> bool:
    domain = setting.domain(column)
    return domain is not None and domain.not_null


def _domain_targets(setting: Setting, domain: Domain) -> Iterator[Target]:
    """The constraints that *domain* itself declares, on the first table that has a column of it."""
    if domain.of_extension or domain.qualified not in setting.catalog.domains:
        return
    table, columns = _first_use(setting.catalog, domain)
    for check in domain.checks:
        if check.own:
            yield Target(
                table,
                check.name,
                "domain check",
                check.definition,
                columns,
                expression=check.expression,
                domain=domain,
            )
    if domain.not_null:
        yield Target(table, "not null", "domain not null", "NOT NULL", columns, domain=domain)


def _first_use(catalog: Catalog, domain: Domain) -> tuple[Table | None, tuple[str, ...]]:
    for table in catalog.base_tables:
        for column in table.columns:
            if column.domain == domain.qualified and not column.generated:
                return table, (column.name,)
    return None, ()


def check_expression(definition: str) -> str:
    """The condition of a check as the server prints its definition; ValueError where it is none."""
    found = _CHECK.match(definition)
    if not found:
        raise ValueError(f"{definition!r} is not the definition of a check")
    return found["expression"]
