"""Findings and attempts as files to take home."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from workbench.proof.findings import Finding


def fixes_script(findings: Iterable[Finding], *, comment: str) -> str:
    """The fixes of *findings* as one script, each under its finding and whether it was proved.

    *comment* begins a line that is not run: ``--`` for SQL, ``//`` for mongosh.
    """
    parts = [f"{comment} Fixes of the review, the worst first. Read each before you run it.\n"]
    for finding in findings:
        proved = (
            "proved on a scratch copy" if finding.verified else f"not proved: {finding.unverified_because}"
        )
        head = [f"{finding.severity}: {finding.object}: {finding.title}", proved]
        lines = "\n".join(f"{comment} {line}" for text in head for line in text.splitlines())
        parts.append(f"{lines}\n{finding.fix.strip()}\n")
    return "\n".join(parts)


def facts_csv(kind: type[Any], facts: Iterable[Any]) -> str:
    """*facts*, which are dataclasses of *kind*, as CSV: a row each, a column a field."""
    names = [field.name for field in fields(kind)]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(names)
    rows.writerows([getattr(fact, name) for name in names] for fact in facts)
    return text.getvalue()
