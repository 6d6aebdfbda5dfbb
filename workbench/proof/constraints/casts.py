"""A domain that no row has yet: its constraints are tried by casting a value to it."""

from __future__ import annotations

from psycopg2 import sql

from workbench.catalog.model import Column, Table
from workbench.engines.postgres import Connection
from workbench.proof.constraints.candidates import ValidLiterals
from workbench.proof.constraints.search import RowSearch
from workbench.proof.constraints.targets import Setting, Target
from workbench.proof.constraints.violations import Plan, Violation, value

_VALUE = "value"


def cast_plan(conn: Connection, setting: Setting, target: Target, valid: ValidLiterals) -> Plan:
    """The cast of a value that *target*, a constraint of a domain, should refuse."""
    domain = target.domain
    if domain is None:
        raise ValueError(f"{target.constraint} is of no domain")
    column = Column(_VALUE, 1, domain.qualified, domain.plain_type, nullable=True, domain=domain.qualified)
    search = RowSearch(
        conn, setting, Table(domain.schema, domain.name, "table", "", columns=(column,)), valid
    )
    texts: list[str | None] = [None]
    if target.kind == "domain check":
        broken = search.of_value(target.expression, _VALUE, target.constraint)
        kept = [check for check in search.checks if check.name != target.constraint]
        free = {_VALUE: search.candidates(column, [broken, *kept])}
        found = search.find({}, free, false=[broken], kept=kept) or search.find({}, free, false=[broken])
        if not found:
            return Plan(
                reason=f"none of {search.tried:,} values tried makes it false: perhaps nothing can violate it"
            )
        texts = [one[_VALUE] for one in found]
    name = sql.Identifier(domain.schema, domain.name)
    return Plan(
        tuple(Violation(sql.SQL("select cast({} as {})").format(value(column, text), name)) for text in texts)
    )
