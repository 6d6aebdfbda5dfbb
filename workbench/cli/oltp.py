"""The commands of the OLTP area."""

from __future__ import annotations

from typing import Any

import rich_click as click

from workbench.cli.common import (
    json_option,
    opened_source,
    print_findings,
    print_json,
    print_table,
    source_options,
)
from workbench.errors import SourceError


@click.group()
def oltp() -> None:
    """The OLTP model: review a schema, prove its constraints."""


@oltp.command("review")
@source_options
@json_option
def oltp_review(as_json: bool, **source: Any) -> None:
    """Run the checks, and prove each finding's fix on a scratch copy."""
    from workbench.areas.oltp import review_source

    with opened_source(source) as opened:
        findings = review_source(opened)
    rows = [finding.as_dict() for finding in findings]
    if as_json:
        print_json(rows)
        return
    print_findings(rows)


@oltp.command("constraints")
@source_options
@json_option
def oltp_constraints(as_json: bool, **source: Any) -> None:
    """Try to break each constraint once, on a scratch copy."""
    from dataclasses import asdict

    from workbench.areas.oltp import break_constraints
    from workbench.catalog.reflect import reflect

    with opened_source(source) as opened:
        proofs = break_constraints(opened, reflect(opened.connection))
    if proofs.why_none:
        raise SourceError(proofs.why_none)
    rows = [asdict(attempt) for attempt in proofs.attempts]
    if as_json:
        print_json(rows)
        return
    columns = {
        "table": "table",
        "constraint": "constraint",
        "kind": "kind",
        "outcome": "outcome",
        "sqlstate": "SQLSTATE",
        "reason": "reason",
    }
    print_table(f"{len(rows)} constraints", rows, columns)
