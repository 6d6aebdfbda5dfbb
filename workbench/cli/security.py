"""The commands of the security area."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from workbench.cli.common import (
    F,
    as_plain,
    json_option,
    opened_source,
    print_findings,
    print_json,
    print_table,
    source_options,
)
from workbench.errors import BadInput, OutputError

if TYPE_CHECKING:
    from workbench.areas.security.ground import Ground
    from workbench.areas.security.proving import SecurityProof
    from workbench.source import OpenSource

_DOING = {
    "naive": "attacking the naive design",
    "attacks": "attacking the design",
    "mutants": "breaking the design part by part",
    "found": "attacking what is live today",
}


@click.group()
def security() -> None:
    """Security: an intent, the design that it asks for, attacks on it, the posture of a server."""


def intent_option(command: F) -> F:
    return click.option(
        "--intent",
        default=None,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The declared intent, a YAML file as `workbench security intent` writes one. By default the "
        "example's own, else what is proposed from the source.",
    )(command)


@security.command("intent")
@source_options
@click.option(
    "--out",
    default=None,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it to a new file, in place of printing it; a file that is there is left alone.",
)
def security_intent(out: Path | None, **source: Any) -> None:
    """Propose an intent from what a source's roles may do now; correct it before it is proved."""
    from workbench.areas.security import proposed_intent, write_intent

    if out is not None and out.exists():
        raise _is_there(out)
    with _tables_of(source) as opened:
        text = write_intent(proposed_intent(opened))
    if out is None:
        click.echo(text, nl=False)
    else:
        _write_new(out, text)


def _write_new(out: Path, text: str) -> None:
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as exc:
        raise _is_there(out) from exc
    except OSError as exc:
        raise OutputError(f"{out}: cannot be written: {exc.strerror}: name another file with --out") from exc


def _is_there(out: Path) -> OutputError:
    return OutputError(f"{out}: is there already, and may hold corrections: name a new file with --out")


@security.command("design")
@source_options
@intent_option
@click.option("--undo", is_flag=True, help="Print the script that takes the design away again.")
def security_design(intent: Path | None, undo: bool, **source: Any) -> None:
    """Print the script of roles, privileges, row security, tokens and audit that an intent asks for.

    It takes owners, privileges and policies of the source into account, may be run again, and is one
    transaction. Nothing of a named database is changed; whoever runs it needs no superuser.
    """
    from workbench.areas.security import scripted_design

    if intent is not None:
        _require_intent(intent)
    with _tables_of(source) as opened, _every_problem():
        design = scripted_design(opened, intent)
    click.echo(design.undo_script if undo else design.script, nl=False)
    for remark in design.remarks:
        click.echo(f"workbench: {as_plain(remark)}", err=True)


@security.command("prove")
@source_options
@intent_option
@click.option(
    "--naive/--no-naive", default=True, help="Whether a naive design is attacked first.", show_default=True
)
@click.option(
    "--mutants/--no-mutants",
    default=True,
    help="Whether every part of the design is broken in turn, to see that an attack notices.",
    show_default=True,
)
@click.option(
    "--found",
    is_flag=True,
    help="Attack what is live in the source as well: its own roles, privileges and policies, in a copy.",
)
@click.option(
    "--setting",
    default=None,
    metavar="NAME",
    help="The setting by which a session of what is live acts for an identity, such as app.user_id; by "
    "default what its policies read.",
)
@click.option(
    "--out",
    default=None,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write intent.yaml, design.sql, undo.sql, attacks.svg and attacks.json there as well.",
)
@json_option
def security_prove(
    intent: Path | None,
    naive: bool,
    mutants: bool,
    found: bool,
    setting: str | None,
    out: Path | None,
    as_json: bool,
    **source: Any,
) -> None:
    """Apply the design of an intent in a private cluster, attack it, and break it part by part.

    The exit status is 1 where something is not as declared or a broken part went unnoticed.
    """
    from workbench.areas.security import proof_as_dict, proof_files, prove_design

    with _folder(out) as folder:
        with _ground(source, intent, setting) as ground, _progress() as tell:
            proof = prove_design(ground, naive=naive, mutants=mutants, found=found, progress=tell)
        if folder is not None:
            for name, content in proof_files(proof).items():
                (folder / name).write_text(content, encoding="utf-8")
    if as_json:
        print_json(proof_as_dict(proof))
    else:
        _print_proof(proof)
    if proof.findings:
        raise SystemExit(1)


@security.command("posture")
@source_options
@json_option
def security_posture(as_json: bool, **source: Any) -> None:
    """Read how a server and its database stand: logins, privileges, row security, logging, settings."""
    from workbench.areas.security import control_rows, open_subject, review_subject
    from workbench.source import Options

    options = {name: value for name, value in source.items() if name != "source"}
    with open_subject(source["source"], Options(**options)) as subject:
        review = review_subject(subject)
    if as_json:
        print_json(
            {
                "looked_at_on": review.looked_at_on,
                "role": review.role,
                "totals": review.totals,
                "findings": [finding.as_dict() for finding in review.findings],
                "controls": [asdict(each) for each in review.controls],
            }
        )
        return
    print_findings([finding.as_dict() for finding in review.findings])
    shown = ("state", "section", "control", "findings", "what helps")
    print_table(f"{len(review.controls)} controls", control_rows(review), {each: each for each in shown})


@security.command("hunt")
@source_options
@intent_option
@json_option
def security_hunt(intent: Path | None, as_json: bool, **source: Any) -> None:
    """Plant secrets in private servers, in clear and sealed, and look for them wherever these write.

    Searched are files, logs, the write-ahead log, dumps, statistics, and the audit trail of the design.
    The exit status is 1 where a secret is seen that should not be, or a planted one is not.
    """
    from workbench.areas.security import hunt_leaks, sighting_rows

    with _ground(source, intent) as ground:
        found = hunt_leaks(ground)
    if as_json:
        print_json(
            {
                "hunts": {
                    searched: {
                        "engine": hunt.engine,
                        "proved": hunt.proved,
                        "searched_bytes": dict(hunt.searched_bytes),
                        "leaks": [asdict(each) for each in hunt.leaks],
                        "missing_controls": [asdict(each) for each in hunt.missing_controls],
                        "uncontrolled": list(hunt.uncontrolled),
                        "left_out": list(hunt.left_out),
                        "sightings": [asdict(each) for each in hunt.sightings],
                    }
                    for searched, hunt in found.hunts.items()
                },
                "left_out": list(found.left_out),
            }
        )
    else:
        columns = ("searched", "place", "in clear, seen", "kept secret, seen", "an example")
        print_table("The leak hunt", sighting_rows(found), {each: each for each in columns})
        for searched, hunt in found.hunts.items():
            for leak in hunt.leaks:
                click.echo(as_plain(f"seen in {searched}, {leak.place}: {leak.marker} ({leak.where})"))
        not_searched = [why for hunt in found.hunts.values() for why in hunt.left_out]
        for why in (*not_searched, *found.left_out):
            click.echo(as_plain(f"Not searched: {why}"))
    if not found.proved:
        raise SystemExit(1)


@security.command("logins")
@json_option
def security_logins(as_json: bool) -> None:
    """Who is let in and over what, tried on servers of their own: passwords, rules, TLS where it is built in.

    The exit status is 1 where a login does not end as it should.
    """
    from workbench.areas.security import login_rows, prove_authentication

    found = prove_authentication()
    if as_json:
        print_json({"logins": found.totals, **asdict(found)})
    else:
        rows = login_rows(found)
        print_table("Logins", rows, {each: each for each in rows[0]} if rows else {})
        for why in found.left_out:
            click.echo(as_plain(f"Not tried: {why}"))
    if found.totals["as_declared"] < found.totals["run"]:
        raise SystemExit(1)


@security.command("audit")
@source_options
@intent_option
@json_option
def security_audit(intent: Path | None, as_json: bool, **source: Any) -> None:
    """Compare the audit trail that is live in a database with the intent's: what is missing, off or other.

    The database is only read. The exit status is 1 where there is a gap.
    """
    from workbench.areas.security import coverage_of

    if intent is None:
        raise BadInput("name the intent that the database was designed for: --intent FILE")
    _require_intent(intent)
    with _tables_of(source) as opened, _every_problem():
        found = coverage_of(opened, intent)
    if as_json:
        print_json(
            {"tables": found.tables, "gaps": [asdict(each) for each in found.gaps], "repair": found.repair}
        )
    else:
        columns = ("relation", "part", "problem")
        title = f"{found.tables} audited tables, {len(found.gaps)} gaps"
        print_table(title, [asdict(each) for each in found.gaps], {each: each for each in columns})
        click.echo(as_plain(found.repair), nl=False)
    if found.gaps:
        raise SystemExit(1)


@contextlib.contextmanager
def _folder(out: Path | None) -> Iterator[Path | None]:
    """Where the files are written, which get to *out* all at once; nothing of them where the proof fails."""
    from workbench.report.folder import staged

    if out is None:
        yield None
        return
    if (out / "index.html").exists():
        raise OutputError(f"{out}: holds a report: name another folder with --out")
    with staged(out) as folder:
        yield folder


@contextlib.contextmanager
def _tables_of(source: dict[str, Any]) -> Iterator[OpenSource]:
    """The source with its tables; of collections, which command looks at them."""
    from workbench.source import resolve

    named = resolve(source["source"])
    if named.kind == "dump":
        raise BadInput(f"{named.spec} holds collections, and an intent is about tables: name their database")
    if named.kind == "collections":
        raise BadInput(
            f"{named.spec} holds collections, and an intent is about tables: "
            f"run workbench security posture --source {shlex.quote(named.spec)}"
        )
    with opened_source(source) as opened:
        yield opened


@contextlib.contextmanager
def _ground(source: dict[str, Any], intent: Path | None, setting: str | None = None) -> Iterator[Ground]:
    """The source in a private cluster, and its intent."""
    from workbench.areas.security import security_ground

    if intent is not None:
        _require_intent(intent)
    with (
        _tables_of(source) as opened,
        _every_problem(),
        security_ground(opened, intent, setting=setting) as ground,
    ):
        yield ground


def _require_intent(intent: Path) -> None:
    """What is wrong with the file alone is told before any server is started."""
    from workbench.areas.security import require_intent

    if intent.is_dir() or not intent.exists():
        what = "is a folder" if intent.is_dir() else "there is no such file"
        raise BadInput(
            f"{intent}: {what}: name an intent, as workbench security intent --out FILE writes one"
        )
    if intent.is_file():  # what comes through a pipe is read once
        with _every_problem():
            require_intent(intent)


@contextlib.contextmanager
def _every_problem() -> Iterator[None]:
    """Of an intent that does not fit, every problem is told, one a line, as a compiler does."""
    from workbench.areas.security import IntentError

    try:
        yield
    except IntentError as exc:
        click.echo(f"workbench: {as_plain(exc.report)}", err=True)
        raise SystemExit(exc.exit_status) from exc


def _print_proof(proof: SecurityProof) -> None:
    from workbench.areas.security import leak_rows, not_as_declared_rows, proof_in_words, survivor_rows

    for line in proof_in_words(proof):
        click.echo(as_plain(line))
    if proof.naive is not None:
        shown: tuple[str, ...] = ("probe", "what was tried", "naive design", "this design")
        print_table("Ways around", leak_rows(proof.naive, proof.hardened), {each: each for each in shown})
    if proof.hardened.not_as_declared:
        shown = ("role", "object", "what", "declared", "observed", "said")
        print_table("Not as declared", not_as_declared_rows(proof), {each: each for each in shown})
    if proof.mutants is not None and proof.mutants.survivors:
        shown = ("part", "object", "broken", "attempts", "problem")
        print_table("Broken, and not noticed", survivor_rows(proof.mutants), {each: each for each in shown})
    if proof.found is not None:
        print_findings([each.as_dict() for each in proof.found_findings])


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr where that is a terminal, and else nothing."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(_DOING[what], total=of)
                progress.refresh()  # a short one is seen as well
            progress.update(tasks[what], completed=done, total=of)

        yield tell
