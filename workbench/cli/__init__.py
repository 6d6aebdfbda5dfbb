"""The command line: each command is one call into the package."""

from __future__ import annotations

import os
import runpy
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg2
import pymongo.errors
import rich_click as click
from click.exceptions import Abort, Exit

from workbench import __version__, sql
from workbench.cli.common import as_plain, json_option, print_json, print_table, source_options
from workbench.cli.nosql import nosql
from workbench.cli.oltp import oltp
from workbench.cli.optimization import optimization
from workbench.cli.security import security
from workbench.errors import BadInput, WorkbenchError

_LITTLE_SPACE_MB = 50


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
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{'found  ' if row['ok'] else 'missing'}  {row['what']}: {as_plain(row['found'])}")
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
        print_json(rows)
        return
    for row in rows:
        title = f"{row['area']}: {row['title']} ({row['notebook']})"
        print_table(
            title,
            row["parameters"],
            {"name": "parameter", "default": "default", "type": "type", "help": "help"},
        )


main_group.add_command(oltp)
main_group.add_command(nosql)
main_group.add_command(optimization)
main_group.add_command(security)


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
        print_json(rows)
    else:
        columns = ("benchmark", "value", "unit", "peer", "peer_value", "ratio", "limit", "ok")
        print_table("benchmarks", rows, {column: column.replace("_", " ") for column in columns})
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
    click.echo(f"workbench: {' '.join(as_plain(message).split())}", err=True)
    raise SystemExit(status)
