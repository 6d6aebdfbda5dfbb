"""Every kind of finding about table structure has a page, and every page a kind of finding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workbench import sql
from workbench.areas.optimization.structure.checks import CHECKS, Check

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "workbench" / "areas" / "optimization" / "structure"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_page_says_why_and_what_is_left_alone(check: Check) -> None:
    """A page has the check's title and level, an example, the fix, the near misses and the proof."""
    text = (ROOT / check.page).read_text(encoding="utf-8")

    assert text.startswith(f"# {check.title}\n")
    assert f"`{check.level}`" in text
    for heading in ("## Why", "## Example", "## Fix", "## Near misses", "## Proof"):
        assert heading in text


def test_the_checks_are_those_of_the_code() -> None:
    """No kind of finding is without a page: the names that the modules give are the ones listed."""
    named = {
        found
        for path in PACKAGE.glob("*.py")
        for found in re.findall(
            r'^[A-Z_]+ = "((?!workbench)[a-z]+_[a-z_]+|partitioning)"$', path.read_text(), re.MULTILINE
        )
    }

    assert {check.name for check in CHECKS} == named


@pytest.mark.parametrize("name", sql.files("optimization/structure"))
def test_statement_has_a_header(name: str) -> None:
    """A file of SQL says what it asks and from which version on."""
    header = sql.header(name)

    assert header[Path(name).stem]
    assert header["needs"].startswith(("PostgreSQL 13", "PostgreSQL 14"))
