"""Every check of a server's posture has a header, a page, tests that name it, and every page its check."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workbench import sql
from workbench.areas.security.posture import MONGODB_CHECKS, checks
from workbench.areas.security.posture.checks import HELPS, Check
from workbench.areas.security.posture.mongodb_checks import MongoCheck

ROOT = Path(__file__).parent.parent.parent
TESTS = "".join(
    path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests" / "integration").glob("test_security_posture*.py"))
)
HEADINGS = ("## Why", "## Example", "## Fix", "## Near misses", "## Proof")


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_check_of_a_server_has_a_header_a_page_and_tests(check: Check) -> None:
    """A check says what it finds, of what, with which right, its rule, and what it leaves alone."""
    text = (ROOT / check.page).read_text(encoding="utf-8")

    assert text.startswith(f"# {check.title[0].upper()}{check.title[1:]}\n")
    assert f"`{check.level}`" in text
    assert f"(../../sql/{check.file})" in text
    assert [heading for heading in HEADINGS if heading not in text] == []
    assert check.level in ("error", "warn", "info")
    assert check.scope in ("server", "database")
    assert check.reads == "all" or check.reads in HELPS
    assert sql.header(check.file)["near miss"]
    assert f'"{check.name}"' in TESTS or f"_{check.name}." in TESTS


@pytest.mark.parametrize("check", MONGODB_CHECKS, ids=lambda check: check.name)
def test_check_of_a_mongodb_has_a_page_and_tests(check: MongoCheck) -> None:
    """A check of a MongoDB has a page of the same parts, and tests that name it."""
    text = (ROOT / check.page).read_text(encoding="utf-8")

    assert text.startswith(f"# {check.title}\n")
    assert f"`{check.level}`" in text
    assert [heading for heading in HEADINGS if heading not in text] == []
    assert f'"{check.name}"' in TESTS


def test_names_are_unique_and_the_files_return_them() -> None:
    """No two checks have a name in common, and each file returns the name that it bears."""
    names = [each.name for each in checks()] + [each.name for each in MONGODB_CHECKS]

    assert len(names) == len(set(names))
    for check in checks():
        assert re.search(rf"'{check.name}' as \"check\"", sql.read(check.file)), check.file


@pytest.mark.parametrize(
    "name", [*sql.files("security/posture"), *sql.files("security/posture/trial"),
             *sql.files("security/posture/copy")]
)  # fmt: skip
def test_statement_has_a_header(name: str) -> None:
    """A file of SQL says what it asks and from which version on."""
    header = sql.header(name)

    assert header[Path(name).stem]
    assert header["needs"] == "PostgreSQL 13"
