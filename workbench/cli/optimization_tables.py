"""What the commands of the optimization area print for people: the columns that a terminal has room for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.console import Console

from workbench.cli.common import as_plain, print_findings, print_table

if TYPE_CHECKING:
    from workbench.areas.optimization.collections import OperationsReview
    from workbench.areas.optimization.indexes import Advised
    from workbench.areas.optimization.structure import StructureReview
    from workbench.proof.slow.model import SlowStatement
    from workbench.proof.trials import Trial
    from workbench.proof.workload import Workload

Row = Mapping[str, Any]

_WIDE = 120  # characters of a terminal from which on more columns are shown
_MOST_LEFT = 10  # rows of what is only looked at when something is odd
_LONGEST_SQL = 150


def show(title: str, rows: Iterable[Row], columns: str, *, wide: str = "", most: int | None = None) -> None:
    """The *columns* of *rows* that have a value, those of *wide* where there is room; nothing of no rows.

    A column is ``name`` or ``name=heading``. Of more than *most* rows the first, and how many there are.
    """
    listed = [_in_words(row) for row in rows]
    if not listed:
        return
    chosen = (wide or columns) if Console().width >= _WIDE else columns
    headings = {}
    for column in chosen.split():
        name, _, heading = column.partition("=")
        if any(row.get(name) not in (None, "") for row in listed):
            headings[name] = (heading or name.removesuffix("_bytes")).replace("_", " ")
    print_table(f"{title}: {len(listed)}", listed[:most], headings)
    if most is not None and len(listed) > most:
        click.echo(f"and {len(listed) - most:,} more: see --json")


def _in_words(row: Row) -> dict[str, Any]:
    """*row* with sizes, counts and times as people read them."""
    from workbench.areas.optimization.sizes import in_words

    words = dict(row)
    for name, value in row.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if name.endswith("_bytes") or name == "bytes":
            words[name] = in_words(value)
        elif name.endswith("share"):
            words[name] = f"{value:.1%}"
        else:
            words[name] = f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"
    return words


def say(lines: Iterable[str], before: str = "") -> None:
    """A line each, without what a terminal would obey."""
    for line in lines:
        click.echo(as_plain(f"{before}{line}"))


def print_workload(workload: Workload) -> None:
    """Where the statements come from, what is to be known of them, and each that could not be read."""
    say([f"{_counted(len(workload.statements), 'statement')}: {workload.origin}"], "workload of ")
    say(workload.notes, "  ")
    print_unread(workload)


def print_unread(workload: Workload) -> None:
    """Each statement that could not be read, and why."""
    say((f"{each.where} {each.name}: {each.reason}" for each in workload.unread), "not read: ")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# indexes


def print_advice(advised: Advised, trial: Trial | None, *, why_untried: str) -> None:
    """The advice, what was considered, what the trial says of it, and the statements to take home."""
    from workbench.areas.optimization import advice_in_words, cost_rows, drop_rows, index_rows, rejected_rows

    rows = [{**row, "verdict": _verdict(row)} for row in index_rows(advised, trial)]
    show(
        "Indexes that the planner's costs ask for",
        rows,
        "index size share_of_gain=gain verdict=on_a_copy",
        wide="index size share_of_gain=gain used_by verdict=on_a_copy",
    )
    say(advice_in_words(advised))
    show(
        "Statements by the planner's costs, those that gain most first",
        ({**row, "sql": _begin(str(row["sql"]))} for row in cost_rows(advised)),
        "statement cost_before=cost cost_after=cost_with sql",
        wide="statement weight cost_before=cost cost_after=cost_with sql",
        most=_MOST_LEFT,
    )
    show(
        "Considered and left",
        rejected_rows(advised),
        "index size gain_alone=alone why_not",
        most=_MOST_LEFT,
    )
    show(
        "Existing indexes that the workload does without",
        drop_rows(advised, trial),
        "index size why advised",
        wide="index size why advised proved=on_a_copy",
    )
    if trial is not None:
        _print_trial(trial)
    elif advised.change.create or advised.change.drop:
        say([why_untried])
    _print_take_home(advised, trial)


def _begin(text: str) -> str:
    return text if len(text) <= _LONGEST_SQL else text[:_LONGEST_SQL] + " …"


def _verdict(row: Row) -> str:
    return f"{row['proved']}: {row['why']}" if row["why"] else str(row["proved"])


def _print_trial(trial: Trial) -> None:
    from workbench.areas.optimization import trial_in_words, trial_rows, write_rows

    changed = [row for row in trial_rows(trial) if row["outcome"] not in ("same plan", "not tried")]
    show(
        f"Statements without and with the indexes kept, on {trial.engine}",
        changed,
        "statement outcome without_ms with_ms ratio results",
        wide="statement outcome without_ms with_ms ratio pages_without pages_with results",
    )
    if same := sum(each.outcome == "same plan" for each in trial.statements):
        click.echo(f"{_counted(same, 'statement')} with the same plan as before")
    writes = write_rows(trial.writes)
    show(
        "What a written row costs, in µs and bytes of WAL",
        [row for row in writes if row["without_us"] is not None],
        "table write without_us=µs with_us=µs_with wal_without=WAL wal_with=WAL_with",
    )
    unmeasured = (row for row in writes if row["without_us"] is None and row["why"])
    say((f"{row['write']} of {row['table']}: {row['why']}" for row in unmeasured), "not measured: ")
    say(trial_in_words(trial))


def _print_take_home(advised: Advised, trial: Trial | None) -> None:
    """The statements of what was not rejected: of a set that was refused none."""
    from workbench.areas.optimization import kept_take_home

    homes = kept_take_home(advised, trial)
    if not homes:
        return
    click.echo("\nTo take home, a statement at a time; behind -- what takes it back:")
    say(dict.fromkeys(note for each in homes for note in each.notes), "-- ")
    for each in homes:
        say(f"{statement};" for statement in each.do)
        say((f"{statement};" for statement in each.undo), "-- ")


# slow statements


def print_slow(workload: Workload, found: Sequence[SlowStatement]) -> None:
    """The slow statements, why they are, and the rewrites that were tried."""
    from workbench.areas.optimization import reason_table, rewrite_table, slow_table

    rows = [dict(row) for row in slow_table(found)]
    basis = str(rows[0]["share_of"]) if rows else "time"
    notes = {str(row["note"]) for row in rows}
    common = notes.pop() if len(notes) == 1 else ""  # told once
    show(
        f"Statements by their part of the {basis}",
        [{**row, "note": ""} for row in rows] if common else rows,
        "statement share mean_ms costly_node note",
        wide="statement share mean_ms weight pages_read pages_hit outcome costly_node note",
    )
    say([common] if common else [], "each: ")
    reasons = reason_table(found)
    show("Why", reasons, "statement says fix", wide="statement reason says fix tried")
    show(
        "Rewrites",
        rewrite_table(found),
        "statement rewrite verdict why",
        wide="statement rewrite verdict before_ms after_ms compared_on why",
    )
    say(f"{rewrite.sql};\n" for each in found for rewrite in each.rewrites if rewrite.verdict == "accepted")
    if not reasons and all(each.outcome != "timed out" for each in found):
        click.echo("no reason was found why one of them should be slower than it must be")
    print_workload(workload)


# structure


def print_structure(review: StructureReview) -> None:
    """How the tables lie on disk, what was tried, and what is found."""
    from workbench.areas.optimization import structure_rows

    show(
        "Tables",
        structure_rows(review),
        "table rows heap_bytes index_bytes bloat_bytes",
        wide="table partitions rows heap_bytes toast_bytes index_bytes bloat_bytes bloat_known_by "
        "index_bloat_bytes dead_rows hot_share vacuumed_at",
    )
    show(
        "Partitioning, tried",
        review.partitioning,
        "table by pruned_share=pruned verdict",
        wide="table by partitions statements pruned_share=pruned planning_before_ms planning_after_ms "
        "time_ratio delete_ms drop_ms keys_lost verdict",
    )
    findings = [finding.as_dict() for finding in review.findings]
    if findings:
        print_findings(findings)
    else:
        click.echo(
            "nothing to say of the structure: no bloat, padding, empty column or late vacuum was found"
        )
    say(review.not_judged, "not judged: ")


# operations on collections


def print_operations(review: OperationsReview) -> None:
    """Operations and why they are slow, the indexes that were tried, and the script to take home."""
    from workbench.areas.optimization.collections import (
        accepted_rows,
        drop_rows,
        operation_rows,
        rejected_rows,
        script,
    )

    show(
        "Operations",
        operation_rows(review),
        "collection operation share mean_ms why",
        wide="collection operation share calls mean_ms keys_per_returned documents_per_returned why",
    )
    tried = "collection index examined_before=read examined_after=read_with before_ms=ms after_ms=ms_with"
    indexes = f"{tried} index_bytes=size insert_us insert_us_with"
    accepted = accepted_rows(review)
    show(
        "Indexes proved to help (read: keys and documents for each one returned)",
        accepted,
        tried,
        wide=indexes,
    )
    show("Tried and left", rejected_rows(review), "collection index why", wide=f"{tried} why")
    drops = [{**row, "proved": "yes" if row["proved"] else "no"} for row in drop_rows(review)]
    show("Indexes that could go", drops, "collection index size_bytes proved why")
    say([f"recorded by: {review.recorded.origin}"] if review.recorded.origin else [])
    say(review.notes)
    if accepted or any(drop.proved for drop in review.drops):
        say([script(review)])
    else:
        click.echo("no index is advised: none that was tried makes these operations read less")
