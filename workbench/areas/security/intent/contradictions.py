"""Rules that cannot all hold: said twice, forbidden and allowed, or about columns nobody reaches."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.areas.security.intent.conditions import condition_problem
from workbench.areas.security.intent.model import OPERATIONS, Intent, Rule, TableName
from workbench.areas.security.intent.permissions import (
    hidden_columns,
    permission,
    reachable_columns,
    rules_for,
)
from workbench.areas.security.intent.problems import Problem
from workbench.catalog.model import Catalog, Column, Table, qualified
from workbench.errors import printable


def rule_problems(intent: Intent, catalog: Catalog) -> Iterator[Problem]:
    """Each rule for itself: its rows, its condition, its columns."""
    for rule in intent.rules:
        role = intent.role(rule.role)
        line = rule.line or 1
        if role.kind in ("owner", "audit owner"):
            yield Problem(
                line, f"{printable(rule.role)} owns and nobody logs in as it: give the rule to another role"
            )
        yield from _where_problems(rule, catalog, line)
        if rule.rows == "own":
            yield from _own_problems(intent, rule, line)
        yield from _column_problems(intent, rule, catalog, line)
    for rule in intent.never:
        if rule.where is not None:
            yield Problem(
                rule.line or 1,
                "never takes no where, for whether two conditions meet cannot be told: leave it out",
            )


def _where_problems(rule: Rule, catalog: Catalog, line: int) -> Iterator[Problem]:
    if rule.where is not None:
        for table in rule.tables:
            if wrong := condition_problem(rule.where, catalog.table(*table)):
                yield Problem(line, wrong)
                return


def _own_problems(intent: Intent, rule: Rule, line: int) -> Iterator[Problem]:
    if intent.role(rule.role).identified == "none":
        yield Problem(
            line,
            f"{printable(rule.role)} has a rule about own rows and is nobody: say identified: token",
        )
    unowned = [qualified(*table) for table in rule.tables if table not in intent.owners]
    if unowned:
        more = f" and {len(unowned) - 1} more tables" if len(unowned) > 1 else ""
        yield Problem(
            line,
            f"whose rows those of {unowned[0]}{more} are is not said: add it to owners, or say rows: all",
        )


def _column_problems(intent: Intent, rule: Rule, catalog: Catalog, line: int) -> Iterator[Problem]:
    for name in rule.tables:
        table = catalog.table(*name)
        if rule.columns is not None and "select" in rule.operations:
            hidden = hidden_columns(intent, rule.role, name) & set(rule.columns)
            if hidden:
                column = qualified(*name, min(hidden))
                yield Problem(
                    line,
                    f"{printable(rule.role)} may select {column} and does not see its label: "
                    "add the role to seen_by, or leave the column out",
                )
        if rule.columns is not None and set(rule.operations) & {"insert", "update"}:
            for column_name in rule.columns:
                if wrong := _unwritable(table.column(column_name)):
                    yield Problem(line, f"{qualified(*name, column_name)} {wrong}: leave it out of columns")
        if rule.columns is not None and rule.operations == ("delete",):
            yield Problem(line, "a delete takes whole rows: leave columns out")
        for operation in rule.operations:
            if operation != "delete" and not (
                rule.columns or reachable_columns(intent, table, rule.role, operation)
            ):
                yield Problem(
                    line,
                    f"{printable(rule.role)} reaches no column of {table.qualified} by {operation}: "
                    "name columns, or add the role to seen_by of the label",
                )
        if "insert" in rule.operations:
            yield from _missing_values(intent, rule, catalog, table, line)


def _unwritable(column: Column) -> str | None:
    if column.generated:
        return "is generated, and nobody may write it"
    return "is an identity that the server alone writes" if column.identity == "always" else None


def _missing_values(
    intent: Intent, rule: Rule, catalog: Catalog, table: Table, line: int
) -> Iterator[Problem]:
    """A column that must have a value, which the role may not give and nothing else does."""
    if any(" BEFORE INSERT" in each.definition for each in table.triggers):
        return  # it may give the value
    may = permission(intent, catalog, rule.role, (table.schema, table.name), "insert")
    given = set(may.columns) if may else set()
    for column in table.columns:
        filled = column.default is not None or column.identity or column.generated or column.domain
        if not column.nullable and not filled and column.name not in given:
            unseen = column.name in hidden_columns(intent, rule.role, (table.schema, table.name))
            cure = (
                "add the role to seen_by of its label, or name it in columns"
                if unseen
                else "add it to columns"
            )
            yield Problem(
                line,
                f"{printable(rule.role)} may insert into {table.qualified} and not give "
                f"{printable(column.name)}, which must have a value: {cure}",
            )
            return


def repeated_rules(intent: Intent) -> Iterator[Problem]:
    """The same role, table and operation twice with other rows, condition or columns."""
    first: dict[tuple[str, TableName, str], Rule] = {}
    reported: set[tuple[int, int]] = set()
    for number, rule in enumerate(intent.rules):
        for table in rule.tables:
            for operation in rule.operations:
                former = first.setdefault((rule.role, table, operation), rule)
                same = (former.rows, former.where, former.columns) == (rule.rows, rule.where, rule.columns)
                if not same and (number, id(former)) not in reported:
                    reported.add((number, id(former)))
                    yield Problem(
                        rule.line or 1,
                        f"{printable(rule.role)} {operation} {qualified(*table)} is said on line "
                        f"{former.line} with other rows, where or columns: make one rule of the two",
                    )


def forbidden_rules(intent: Intent, catalog: Catalog) -> Iterator[Problem]:
    """What never forbids and a rule of the role, or an inherited one, allows."""
    for never in intent.never:
        found = next(_allowed(intent, catalog, never), None)
        if found is not None:
            rule, what = found
            inherited = f", inherited from {printable(rule.role)}" if rule.role != never.role else ""
            yield Problem(
                never.line or 1,
                f"never may {printable(never.role)} {what}, and the rule on line {rule.line} allows it"
                f"{inherited}: take one of them away",
            )


def _allowed(intent: Intent, catalog: Catalog, never: Rule) -> Iterator[tuple[Rule, str]]:
    for table in never.tables:
        for operation in never.operations:
            for rule in rules_for(intent, never.role, table, operation):
                reached = set(
                    rule.columns or reachable_columns(intent, catalog.table(*table), never.role, operation)
                )
                if never.columns is None or operation == "delete" or reached & set(never.columns):
                    yield rule, f"{operation} {qualified(*table)}"


def inherited_rules(intent: Intent, catalog: Catalog) -> Iterator[Problem]:
    """Rules that a role cannot have together: own rows of nobody, and other columns of other rows."""
    for role in intent.roles:
        own = False
        for table in sorted({table for rule in intent.rules for table in rule.tables}):
            for operation in OPERATIONS:
                may = permission(intent, catalog, role.name, table, operation)
                if may is None:
                    continue
                own |= any(rows == "own" for rows, _, _ in may.grants)
                shapes = {(rows, where) for rows, where, _ in may.grants}
                every = {columns for rows, where, columns in may.grants if (rows, where) == ("all", None)}
                covered = any(set(may.columns) <= set(columns) for columns in every)
                if len(shapes) > 1 and len({columns for _, _, columns in may.grants}) > 1 and not covered:
                    yield Problem(
                        role.line or 1,
                        f"{printable(role.name)} may {operation} some columns of some rows of "
                        f"{qualified(*table)} and others of others, and PostgreSQL grants rows and columns "
                        "apart: inherit from one of the roles alone, or name the same columns",
                    )
        directly = any(rule.rows == "own" and rule.role == role.name for rule in intent.rules)
        if own and not directly and role.identified == "none":
            yield Problem(
                role.line or 1,
                f"{printable(role.name)} inherits rules about own rows and is nobody: "
                "say identified: token, or inherit from another role",
            )
