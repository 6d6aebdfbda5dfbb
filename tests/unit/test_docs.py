"""The documentation is complete, its links lead somewhere, the repository holds nothing of one machine."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import nbformat
import pytest

from workbench import notebooks
from workbench.areas.nosql import indexes
from workbench.areas.nosql.checks import CHECKS as NOSQL_CHECKS
from workbench.areas.nosql.checks import Check
from workbench.areas.oltp import enforcement
from workbench.areas.optimization.collections import PAGES as COLLECTION_PAGES
from workbench.areas.optimization.index_findings import PAGES as INDEX_PAGES
from workbench.areas.optimization.slow_findings import PAGES as SLOW_PAGES
from workbench.areas.optimization.structure.checks import CHECKS as STRUCTURE_CHECKS
from workbench.areas.security.posture import MONGODB_CHECKS
from workbench.areas.security.posture import checks as posture_checks
from workbench.cli import main_group

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
COMMANDS = ROOT / "docs" / "commands.md"
LINK = re.compile(r"(?<!\\)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
# set by the workbench for its own children
INTERNAL_VARIABLES = {"WORKBENCH_SHARED_SOURCE", "WORKBENCH_MONGODB_OPTIONS"}
# spelled in parts, so that this file does not hold what it looks for
MACHINE_PATHS = re.compile("|".join(("/wo" + "rk/", "/ro" + "ot/", "/ho" + r"me/\w+/", "/Us" + r"ers/\w+/")))
REGISTRIES = re.compile(
    "|".join(("pypi" + r"\.org", "python" + r"hosted\.org", "conda" + r"\.anaconda", "npm" + r"js\.org"))
)


def tracked_files() -> list[Path]:
    """What belongs to the repository: the files that git knows, or all where there is no git."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no git checkout: it cannot be told which files belong to the repository")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def pages() -> list[Path]:
    """Every page of documentation."""
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def commands(
    group: click.Group = main_group, prefix: str = "workbench"
) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its whole name."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def checks() -> list[Path]:
    return sorted((ROOT / "sql").glob("*/checks/*.sql"))


def test_commands_page_is_the_help() -> None:
    """docs/commands.md is what its generator makes of the commands' help."""
    made = runpy.run_path(str(ROOT / "docs" / "make_commands.py"))["page"]()

    assert COMMANDS.read_text() == made, "run: python docs/make_commands.py"


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_command_is_documented(name: str, command: click.Command) -> None:
    """The README names the command; the page has its help and each of its options, which have help too."""
    section = COMMANDS.read_text().partition(f"## {name}\n")[2].partition("\n## ")[0]

    assert f"`{name}`" in README.read_text()
    assert command.help
    assert command.help in section
    for option in (each for each in command.params if isinstance(each, click.Option)):
        assert option.help, f"{name} {option.name} has no help"
        assert all(f"`{flag}" in section or f", {flag}" in section for flag in option.opts)


@pytest.mark.parametrize("check", checks(), ids=lambda path: path.stem)
def test_check_has_a_page(check: Path) -> None:
    """Each check has a page that names it."""
    page = ROOT / "docs" / "checks" / f"{check.stem.partition('_')[2]}.md"

    assert page.is_file()
    assert page.read_text().startswith("# ")


@pytest.mark.parametrize("check", NOSQL_CHECKS, ids=lambda check: check.name)
def test_check_of_collections_has_a_page(check: Check) -> None:
    """Each check of a database of collections has a page: why, an example, the fix, what is left alone."""
    text = (ROOT / check.page).read_text(encoding="utf-8")

    assert text.startswith(f"# {check.title}\n")
    assert f"`{check.level}`" in text
    for heading in ("## Why", "## Example", "## Fix", "## Near misses", "## Proof"):
        assert heading in text, f"{check.page} has no {heading!r}"


@pytest.mark.parametrize("page", (*COLLECTION_PAGES, *INDEX_PAGES, *SLOW_PAGES))
def test_check_of_operations_and_indexes_has_a_page(page: str) -> None:
    """Each check of operations on collections, indexes and slow statements has a page of the same parts."""
    text = (ROOT / page).read_text(encoding="utf-8")

    for heading in ("# ", "## Why", "## Example", "## Fix", "## Near misses", "## Proof"):
        assert heading in text, f"{page} has no {heading!r}"


def test_every_page_of_a_check_has_its_check() -> None:
    """No page describes a check that is gone."""
    named = {check.stem.partition("_")[2] for check in checks()} | {enforcement.CHECK}
    named |= {Path(check.page).stem for check in NOSQL_CHECKS} | {Path(indexes.PAGE).stem}
    named |= {Path(page).stem for page in (*COLLECTION_PAGES, *INDEX_PAGES, *SLOW_PAGES)}
    named |= {Path(check.page).stem for check in STRUCTURE_CHECKS}
    named |= {Path(check.page).stem for check in (*posture_checks(), *MONGODB_CHECKS)}

    assert {page.stem for page in (ROOT / "docs" / "checks").glob("*.md")} <= named


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_is_documented(path: Path) -> None:
    """The README names the notebook; the notebook says its question, and each parameter has help."""
    (notebook,) = [each for each in notebooks.available() if each.name == path.stem]

    assert f"notebooks/{path.name}" in README.read_text()
    assert notebook.title
    assert notebook.question
    assert notebook.parameters
    assert [each.name for each in notebook.parameters if not each.help] == []


def test_environment_variables_are_documented() -> None:
    """The README's table has every variable that the workbench and its benchmarks read, and no other."""
    texts = [path.read_text() for folder in ("workbench", "bench") for path in (ROOT / folder).rglob("*.py")]
    read = {name for text in texts for name in re.findall(r"\bWORKBENCH_[A-Z_]+\b", text)}
    told = set(re.findall(r"^\| `(WORKBENCH_[A-Z_]+)`", README.read_text(), re.MULTILINE))

    assert told == read - INTERNAL_VARIABLES


def test_every_area_is_in_the_readme() -> None:
    """The README's table has every area, with module and SQL that are there."""
    areas = {path.parent.name for path in (ROOT / "workbench" / "areas").glob("*/__init__.py")}

    for area in areas:
        assert f"](workbench/areas/{area})" in README.read_text()
        assert (ROOT / "sql" / area).is_dir()


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    """Each link leads to a file of the repository (and to a heading in it), or to another machine."""
    for found in LINK.finditer(CODE.sub("", page.read_text())):
        target, _, heading = unquote(found["target"]).partition("#")
        if re.match(r"[a-z]+://|mailto:", target):
            continue
        file = (page.parent / target) if target else page
        assert file.exists(), f"{page.name}: {found['target']}"
        if heading:
            assert heading in _anchors(file)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_nothing_of_one_machine() -> None:
    """No tracked file holds a path of a machine or the host of a package registry."""
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in MACHINE_PATHS.finditer(text)]
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in REGISTRIES.finditer(text)]

    assert found == []


def test_notebooks_are_stripped() -> None:
    """Committed notebooks have no outputs, no counts, and no machine's metadata."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in paths:
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None
    program = Path(sys.executable).with_name("nbstripout")
    verified = subprocess.run(
        [program, "--verify", "--keep-id", *paths], capture_output=True, text=True, check=False
    )

    assert paths
    assert verified.returncode == 0, verified.stdout + verified.stderr
