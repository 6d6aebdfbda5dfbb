"""The commands of the security area."""

from __future__ import annotations

import contextlib
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
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.areas.security.ground import Ground
    from workbench.areas.security.proving import SecurityProof

_DOING = {
    "naive": "attacking the naive design",
    "attacks": "attacking the design",
    "mutants": "breaking the design part by part",
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
def security_intent(**source: Any) -> None:
    """Propose an intent from what a source's roles may do now; correct it before it is proved."""
    from workbench.areas.security import proposed_intent, write_intent

    with opened_source(source) as opened:
        click.echo(write_intent(proposed_intent(opened)), nl=False)


@security.command("design")
@source_options
@intent_option
@click.option("--undo", is_flag=True, help="Print the script that takes the design away again.")
def security_design(intent: Path | None, undo: bool, **source: Any) -> None:
    """Print the script of roles, privileges, row security, tokens and audit that an intent asks for."""
    with _ground(source, intent) as ground:
        design = ground.hardened.design
    assert design is not None
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
@json_option
def security_prove(intent: Path | None, naive: bool, mutants: bool, as_json: bool, **source: Any) -> None:
    """Apply the design of an intent in a private cluster, attack it, and break it part by part.

    The exit status is 1 where something is not as declared or a broken part went unnoticed.
    """
    from workbench.areas.security import proof_as_dict, prove_design

    with _ground(source, intent) as ground, _progress(as_json) as tell:
        proof = prove_design(ground, naive=naive, mutants=mutants, progress=tell)
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
    from workbench.areas.security import open_subject, review_subject
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
    columns = {
        "state": "state",
        "section": "section",
        "title": "control",
        "found": "findings",
        "helps": "what helps",
    }
    print_table(f"{len(review.controls)} controls", [asdict(each) for each in review.controls], columns)


@contextlib.contextmanager
def _ground(source: dict[str, Any], intent: Path | None) -> Iterator[Ground]:
    from workbench.areas.security import security_ground
    from workbench.source import resolve

    if resolve(source["source"]).kind in ("collections", "dump"):
        raise BadInput(f"{source['source']}: an intent is about tables: run workbench security posture")
    with opened_source(source) as opened, security_ground(opened, intent) as ground:
        yield ground


def _print_proof(proof: SecurityProof) -> None:
    from workbench.areas.security import leak_rows, not_as_declared_rows, proof_in_words, survivor_rows

    for line in proof_in_words(proof):
        click.echo(as_plain(line))
    if proof.naive is not None:
        shown: tuple[str, ...] = ("probe", "what was tried", "naive design", "this design")
        print_table("Ways around", leak_rows(proof.naive, proof.hardened), {each: each for each in shown})
    if proof.findings:
        shown = ("role", "object", "what", "declared", "observed", "said")
        print_table("Not as declared", not_as_declared_rows(proof), {each: each for each in shown})
    if proof.mutants is not None and proof.mutants.survivors:
        shown = ("part", "object", "broken", "attempts", "problem")
        print_table("Broken, and not noticed", survivor_rows(proof.mutants), {each: each for each in shown})


@contextlib.contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[str, int, int], None]]:
    console = Console(stderr=True, quiet=as_json)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, transient=True) as progress:

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(_DOING[what], total=of)
            progress.update(tasks[what], completed=done, total=of)

        yield tell
