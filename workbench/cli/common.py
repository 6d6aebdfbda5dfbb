"""What the commands share: options of a source, tables and JSON."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from workbench.source import OpenSource

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST_CELL = 2_000  # characters of a table's cell
_MOST_ROWS = 1_000  # of a table; JSON has all
SOURCE_HELP = (
    "What to look at: ecommerce, a .sql file, a postgresql:// or mongodb:// URL (only read), "
    "or a dump of collections."
)


def source_options(command: F) -> F:
    """The options that say which source is opened, and how."""
    for option in reversed(
        [
            click.option(
                "--source", default="ecommerce", show_default=True, metavar="SOURCE", help=SOURCE_HELP
            ),
            click.option(
                "--scale",
                type=float,
                default=0.01,
                show_default=True,
                help="Size of the example; 1 is about 1M order items.",
            ),
            click.option(
                "--seed", type=int, default=1, show_default=True, help="Seed of the example's generated rows."
            ),
            click.option(
                "--strict", is_flag=True, help="A statement that is left out or stood in for is an error."
            ),
            click.option(
                "--timeout",
                "timeout_s",
                type=float,
                default=300.0,
                show_default=True,
                metavar="SECONDS",
                help="Limit of each statement.",
            ),
            click.option(
                "--encoding", default=None, metavar="NAME", help="Encoding of a .sql file that is not UTF-8."
            ),
        ]
    ):
        command = option(command)
    return command


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def print_json(data: Any) -> None:
    # as it is made: of 20,000 collections it is long
    sys.stdout.writelines(json.JSONEncoder(indent=2, default=str, ensure_ascii=False).iterencode(data))
    sys.stdout.write("\n")
    sys.stdout.flush()


def print_table(title: str, rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    table = Table(title=title, title_justify="left", show_lines=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(_cell(row.get(key)) for key in columns))
    Console().print(table, markup=False)
    if len(rows) > _MOST_ROWS:
        click.echo(f"and {len(rows) - _MOST_ROWS:,} more: see --json")


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    if len(text) <= _LONGEST_CELL:
        return as_plain(text)
    return f"{as_plain(text[:_LONGEST_CELL])}… (of {len(text):,} characters, see --json)"


def as_plain(value: Any) -> str:
    # names of a source may hold terminal control characters
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in str(value)
    )


def print_findings(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["mark"] = "✓" if row["verified"] else row["unverified_because"]
    columns = {"severity": "severity", "object": "object", "title": "finding", "fix": "fix", "mark": "proved"}
    print_table(f"{len(rows)} finding{'' if len(rows) == 1 else 's'}", rows, columns)


@contextlib.contextmanager
def opened_source(source: dict[str, Any]) -> Iterator[OpenSource]:
    """The source that the options name, open on the engine."""
    from workbench.engines.postgres import engine
    from workbench.source import Options, open_source

    options = {name: value for name, value in source.items() if name != "source"}
    with engine() as server, open_source(source["source"], server, Options(**options)) as opened:
        yield opened
