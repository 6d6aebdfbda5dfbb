"""The command line: each command is one call into the package."""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg2
import pymongo.errors
import rich_click as click
from click.exceptions import Abort, Exit
from rich.console import Console
from rich.table import Table

from workbench import __version__, sql
from workbench.errors import BadInput, SourceError, WorkbenchError

if TYPE_CHECKING:
    from workbench.areas.nosql import OpenModel
    from workbench.documents.validators import Strictness
    from workbench.source import OpenSource

F = TypeVar("F", bound=Callable[..., Any])

_LITTLE_SPACE_MB = 50
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


def _print_json(data: Any) -> None:
    # as it is made: of 20,000 collections it is long
    sys.stdout.writelines(json.JSONEncoder(indent=2, default=str, ensure_ascii=False).iterencode(data))
    sys.stdout.write("\n")
    sys.stdout.flush()


def _print_table(title: str, rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
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
        return _plain(text)
    return f"{_plain(text[:_LONGEST_CELL])}… (of {len(text):,} characters, see --json)"


def _plain(value: Any) -> str:
    # names of a source may hold terminal control characters
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in str(value)
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="workbench")
def main_group() -> None:
    """The database architect's workbench: every claim is proved on a real engine."""


@main_group.command()
@source_options
@click.option("--only", default=None, metavar="AREA,…", help="Areas to run; all by default.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("report"),
    show_default=True,
    help="Folder of the report.",
)
@click.option(
    "-p", "parameters", multiple=True, metavar="NAME=VALUE", help="A notebook parameter; see workbench list."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    show_default="cores",
    help="Notebooks at a time.",
)
def report(only: str | None, out: Path, parameters: tuple[str, ...], jobs: int, **source: Any) -> None:
    """Run the notebooks against a source and write the report."""
    from workbench.main_job import make_report
    from workbench.source import Options

    spec = source.pop("source")
    made = make_report(
        spec, Options(**source), only=_names(only), out=out, parameters=_pairs(parameters), jobs=jobs
    )
    click.echo(made.summary)
    if made.interrupted:
        raise KeyboardInterrupt
    if made.failed:
        raise SystemExit(1)


def _names(only: str | None) -> list[str]:
    return [name.strip() for name in (only or "").split(",") if name.strip()]


def _pairs(parameters: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for each in parameters:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise BadInput(f"-p {each}: write -p name=value")
        pairs[name] = value
    return pairs


@main_group.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8888, show_default=True, help="Port of JupyterLab."
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option(
    "--notebooks",
    "folder",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of the notebooks to open.",
)
def lab(port: int, no_browser: bool, folder: Path | None) -> None:
    """Open JupyterLab on the notebooks, with the engines up."""
    from workbench.lab import launch

    raise SystemExit(launch(folder=folder, port=port, open_browser=not no_browser))


@main_group.command()
@json_option
def doctor(as_json: bool) -> None:
    """What is found on this machine, and what will be left unproved."""
    from workbench.doctor import as_rows, diagnose

    rows = as_rows(diagnose())
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        click.echo(f"{'found  ' if row['ok'] else 'missing'}  {row['what']}: {_plain(row['found'])}")
        if not row["ok"]:
            click.echo(f"           left unproved: {row['unproved']}\n           how to get it: {row['how']}")


@main_group.command("list")
@json_option
def list_notebooks(as_json: bool) -> None:
    """Areas, their notebooks, and the parameters with defaults and help."""
    from workbench.notebooks import available

    rows: list[dict[str, Any]] = [
        {
            "area": notebook.area,
            "notebook": notebook.name,
            "title": notebook.title,
            "parameters": [
                {"name": each.name, "default": each.default, "type": each.type, "help": each.help}
                for each in notebook.parameters
            ],
        }
        for notebook in available()
    ]
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        title = f"{row['area']}: {row['title']} ({row['notebook']})"
        _print_table(
            title,
            row["parameters"],
            {"name": "parameter", "default": "default", "type": "type", "help": "help"},
        )


@contextlib.contextmanager
def _opened(source: dict[str, Any]) -> Iterator[OpenSource]:
    """The source that the options name, open on the engine."""
    from workbench.engines.postgres import engine
    from workbench.source import Options, open_source

    options = {name: value for name, value in source.items() if name != "source"}
    with engine() as server, open_source(source["source"], server, Options(**options)) as opened:
        yield opened


@main_group.group()
def oltp() -> None:
    """The OLTP model: review a schema, prove its constraints."""


@oltp.command("review")
@source_options
@json_option
def oltp_review(as_json: bool, **source: Any) -> None:
    """Run the checks, and prove each finding's fix on a scratch copy."""
    from workbench.areas.oltp import review_source

    with _opened(source) as opened:
        findings = review_source(opened)
    rows = [finding.as_dict() for finding in findings]
    if as_json:
        _print_json(rows)
        return
    _print_findings(rows)


def _print_findings(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["mark"] = "✓" if row["verified"] else row["unverified_because"]
    columns = {"severity": "severity", "object": "object", "title": "finding", "fix": "fix", "mark": "proved"}
    _print_table(f"{len(rows)} findings", rows, columns)


@oltp.command("constraints")
@source_options
@json_option
def oltp_constraints(as_json: bool, **source: Any) -> None:
    """Try to break each constraint once, on a scratch copy."""
    from dataclasses import asdict

    from workbench.areas.oltp import break_constraints
    from workbench.catalog.reflect import reflect

    with _opened(source) as opened:
        proofs = break_constraints(opened, reflect(opened.connection))
    if proofs.why_none:
        raise SourceError(proofs.why_none)
    rows = [asdict(attempt) for attempt in proofs.attempts]
    if as_json:
        _print_json(rows)
        return
    columns = {
        "table": "table",
        "constraint": "constraint",
        "kind": "kind",
        "outcome": "outcome",
        "sqlstate": "SQLSTATE",
        "reason": "reason",
    }
    _print_table(f"{len(rows)} constraints", rows, columns)


@contextlib.contextmanager
def _opened_model(source: dict[str, Any]) -> Iterator[OpenModel]:
    """The source that the options name, open for the NoSQL area."""
    from workbench.areas.nosql import open_model
    from workbench.source import Options

    spec = source.pop("source")
    with open_model(spec, Options(**source)) as opened:
        yield opened


@main_group.group()
def nosql() -> None:
    """The NoSQL model: review collections, prove validators and indexes, design documents from rows."""


def sample_option(command: F) -> F:
    return click.option(
        "--sample",
        type=click.IntRange(min=0),
        default=0,
        show_default="all",
        metavar="N",
        help="Documents of each collection to look at, taken at random; counts are exact where all are.",
    )(command)


@nosql.command("review")
@source_options
@sample_option
@click.option(
    "--strictness",
    type=click.Choice(["types", "required", "closed"]),
    default="required",
    show_default=True,
    help="Suggested validators: types alone, required fields too, or no other fields.",
)
@click.option(
    "--operations",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Operations and their frequencies as JSON, besides those that the profiler has recorded.",
)
@click.option(
    "--shard-key",
    "shard_keys",
    multiple=True,
    metavar="COLLECTION=FIELD,…",
    help="A planned shard key to judge, such as orders=country or events=_id:hashed.",
)
@json_option
def nosql_review(
    sample: int,
    strictness: Strictness,
    operations: Path | None,
    shard_keys: tuple[str, ...],
    as_json: bool,
    **source: Any,
) -> None:
    """Infer the shape of each collection, run the checks, suggest validators and count who fails them."""
    from workbench.areas.nosql import review_model

    with _opened_model(source) as opened:
        reviewed = review_model(
            opened, sample=sample, strictness=strictness, operations=operations, shard_keys=shard_keys
        )
    if as_json:
        _print_json(reviewed.as_dict())
        return
    _print_table(
        f"{len(reviewed.collections)} collections",
        reviewed.collections,
        {
            "collection": "collection",
            "kind": "kind",
            "documents": "documents",
            "paths": "field paths",
            "mean_bytes": "bytes a document",
            "indexes": "indexes",
            "validator": "validator",
            "failing": "would fail the suggested one",
        },
    )
    _print_findings([finding.as_dict() for finding in reviewed.findings])
    for line in reviewed.not_judged:
        click.echo(f"not judged: {_plain(line)}")


@nosql.command("design")
@source_options
@click.option(
    "--patterns",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Access patterns as JSON, or a workload as SQL; by default the example's, or what the keys suggest.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1_000),
    default=200_000,
    show_default=True,
    help="Rows at most of the largest table that the designs are built from; of the others the same share.",
)
@json_option
def nosql_design(patterns: Path | None, rows: int, as_json: bool, **source: Any) -> None:
    """Price document designs for rows and access patterns, then build and run the best three."""
    from workbench.areas.nosql import design_documents, design_rows
    from workbench.documents.design import as_dict

    with _opened_model(source) as opened:
        designed = design_documents(opened, patterns=patterns, rows=rows)
    if as_json:
        _print_json(as_dict(designed))
        return
    table = design_rows(designed)
    _print_table(
        f"{designed.considered:,} designs priced, {len(table)} built and run",
        table,
        {name: name.replace("_", " ") for name in table[0]},
    )
    unmapped = [f"no access pattern: {each.name}: {each.reason}" for each in designed.unmapped]
    for line in (designed.decision, *designed.notes, *designed.losses, *unmapped):
        click.echo(_plain(line))


@nosql.command("prove")
@source_options
@json_option
def nosql_prove(as_json: bool, **source: Any) -> None:
    """Try what must be refused, and show that indexes are used, on scratch copies."""
    from dataclasses import asdict

    from workbench.areas.nosql import prove_model

    with _opened_model(source) as opened:
        results = prove_model(opened)
    rows = [asdict(proof) for proof in results.proofs]
    if as_json:
        _print_json(rows)
    else:
        columns = {"claim": "claim", "outcome": "outcome", "detail": "how", "why_not": "why not proved"}
        _print_table(f"{len(rows)} claims", rows, columns)
    if any(row["outcome"] == "refuted" for row in rows):
        raise SystemExit(1)


@main_group.command()
@click.argument("names", nargs=-1, metavar="[AREA]…")
@json_option
def bench(names: tuple[str, ...], as_json: bool) -> None:
    """Run the benchmarks, each against a peer or a limit of the same run."""
    from workbench.engines.postgres import engine

    folder = sql.asset_root("bench")
    known = {found.stem: found for found in sorted(folder.glob("[a-z]*.py"))}
    if not known:
        raise BadInput("the benchmarks are not in the installed package: run workbench bench in a checkout")
    if unknown := set(names) - set(known):
        raise BadInput(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    rows: list[dict[str, Any]] = []
    with engine() as server:
        for name in names or known:
            rows += runpy.run_path(str(known[name]))["run"](server)
    if as_json:
        _print_json(rows)
    else:
        columns = ("benchmark", "value", "unit", "peer", "peer_value", "ratio", "limit", "ok")
        _print_table("benchmarks", rows, {column: column.replace("_", " ") for column in columns})
    if not all(row["ok"] for row in rows):
        raise SystemExit(1)


def main() -> None:
    """Run the command line; an error that was foreseen is one line, not a traceback."""
    # a polite end by SIGTERM cleans up like Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main_group(prog_name="workbench", standalone_mode=False)
    except Abort:
        _fail("interrupted: nothing half-done is left behind", 130)
    except KeyboardInterrupt:
        _fail("interrupted: nothing half-done is left behind", 130)
    except Exit as exc:
        raise SystemExit(exc.exit_code) from exc
    except click.ClickException as exc:
        exc.show()
        raise SystemExit(exc.exit_code) from exc
    except WorkbenchError as exc:
        _fail(str(exc), exc.exit_status)
    except psycopg2.Error as exc:
        _fail(_server_problem(exc), 1)
    except pymongo.errors.PyMongoError as exc:
        _fail(_mongodb_problem(exc), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    finally:
        # all is cleaned up: what Python does on its way out is short, and an interrupt of it a traceback
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)


def _mongodb_problem(exc: pymongo.errors.PyMongoError) -> str:
    """What MongoDB says, without the driver's view of it; where it is gone, what is likely."""
    words = str(exc).splitlines() or [type(exc).__name__]
    said = words[0].split(", full error")[0].split(" (configured timeouts")[0]
    if isinstance(exc, pymongo.errors.ConnectionFailure):
        return _connection_lost(said)
    return f"the MongoDB server: {said}"


def _server_problem(exc: psycopg2.Error) -> str:
    """What the server says, or, where it is gone, what is likely: its disk is full, or it was ended."""
    said = str(exc).strip().splitlines() or [type(exc).__name__]
    if not isinstance(exc, psycopg2.OperationalError | psycopg2.InterfaceError):
        return f"the database server: {said[0]}"
    return _connection_lost(said[0])


def _connection_lost(said: str) -> str:
    from workbench.engines.places import cache_folder

    folder = cache_folder()
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    if free_mb < _LITTLE_SPACE_MB:
        return (
            f"no space left for the engine ({free_mb} MB free in {folder}): free some, or set WORKBENCH_CACHE"
        )
    return f"the connection to the database server was lost ({said}): run the command again"


def _fail(message: str, status: int) -> None:
    click.echo(f"workbench: {' '.join(_plain(message).split())}", err=True)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
