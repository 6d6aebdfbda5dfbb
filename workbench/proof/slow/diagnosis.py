"""All reasons of one statement, in the order of what they cost."""

from __future__ import annotations

from collections.abc import Sequence

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.slow.estimates import estimate_reasons
from workbench.proof.slow.model import Explained, Reason
from workbench.proof.slow.plan_reasons import Context, plan_reasons
from workbench.proof.slow.running import parse_statement, text_with_values
from workbench.proof.slow.scan_reasons import scan_reasons
from workbench.proof.slow.structure import Structure
from workbench.proof.slow.syntax import function_names
from workbench.proof.slow.syntax_reasons import parallel_reasons, syntax_reasons
from workbench.proof.workload.model import Statement

_CONDITIONS = ("non_sargable", "implicit_cast", "leading_wildcard", "like_collation")


def diagnose(
    conn: Connection, statement: Statement, found: Explained, structure: Structure
) -> Sequence[Reason]:
    """Why *statement* is slow by its plan *found* and its syntax, the costliest first; each thing once.

    *conn* is only read: for the functions that the statement calls.
    """
    try:
        tree = parse_statement(text_with_values(statement))
    except BadInput:
        tree = parse_statement(statement.sql)
    context = Context(found, structure)
    path = statement.search_path or current_search_path(conn)
    names = function_names(tree)
    unsafe = (
        [
            (row["schema"], row["name"], row["arguments"])
            for row in sql.fetch(conn, "optimization/slow/unsafe_functions.sql", {"names": list(names)})
        ]
        if names
        else []
    )
    reasons = [
        *scan_reasons(context, tree),
        *estimate_reasons(context),
        *plan_reasons(context),
        *syntax_reasons(context, tree, path),
        *parallel_reasons(context, unsafe),
    ]
    # an estimate of a condition that no statistic covers is off for the same cause
    covered = {each.node for each in reasons if each.kind in _CONDITIONS}
    reasons = [each for each in reasons if each.kind != "misestimate" or each.node not in covered]
    by_share = sorted(reasons, key=lambda each: -float(each.facts.get("share", 0.0)))
    once = {
        (each.kind, each.object, each.node if each.node is None else 0): each for each in reversed(by_share)
    }
    return [each for each in by_share if each in once.values()]


def current_search_path(conn: Connection) -> Sequence[str]:
    """The schemas that names are looked up in, without the system's."""
    return tuple(sql.fetch(conn, "optimization/slow/current_path.sql")[0]["schemas"])
