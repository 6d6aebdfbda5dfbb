"""A change of indexes tried on a copy with data: built, measured in turns, judged, and taken back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import psycopg2

from workbench import sql
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.trials.attempts import Part, Progress, Search, total_ms
from workbench.proof.trials.database import TrialDatabase
from workbench.proof.trials.measure import Clock, Measuring
from workbench.proof.trials.model import Change, IndexTrial, StatementTrial, TakeHome, Trial
from workbench.proof.trials.needs import Existing, existing
from workbench.proof.trials.probes import write_costs
from workbench.proof.trials.runs import Copy, reason
from workbench.proof.trials.take_home import (
    LONGEST_NAME,
    Built,
    NotBuilt,
    build,
    index_table,
    names_taken,
    removal,
    run_alone,
)
from workbench.proof.workload.model import Workload

_LONGEST_BUILD_S = 3_600.0
_FOR_WRITES = 0.1  # of the limit: kept for what is measured last


@dataclass(frozen=True)
class _Made:
    """What there is of a change: indexes that were built, those that could not be, existing ones to drop."""

    built: Sequence[Built]
    failed: Sequence[NotBuilt]
    drops: Sequence[Existing]


def try_change(
    db: TrialDatabase,
    workload: Workload,
    change: Change,
    *,
    runs: int = 5,
    timeout_s: float = 60.0,
    limit_s: float = 600.0,
    leave_one_out: int = 20,
    probe_rows: int = 1_000,
    progress: Progress | None = None,
) -> Trial:
    """Build *change* on the copy, run *workload* with and without it in turns, and say what may be kept.

    Both sides run in the same database, so that they find the same pages in memory: the other side's
    indexes are dropped in a transaction that is rolled back, and planning sees the true catalog. A
    statement whose plan stays the same is not timed twice. An index that no plan uses, that makes a query
    1.2 times slower without being worth it, or that saves nothing by itself is left out, and the rest tried
    again; `Trial.rejected` has each step. What statements write is undone. In the end the copy has the
    indexes that it had before. *timeout_s* limits one statement, *limit_s* all of the measuring:
    `Trial.not_tried` says what was left. *progress* is called with done, of how many, and what is done.
    Raises BadInput for a change that names an index that is missing, taken, or twice.
    """
    if runs < 1 or limit_s <= 0 or timeout_s <= 0:
        raise BadInput("a trial needs at least one run, a time-out and a limit above 0 s")
    tell = progress or (lambda done, of, what: None)
    conn = db.connection
    _require_names(conn, change)
    clock = Clock(limit_s, timeout_s, held_s=_FOR_WRITES * limit_s)
    drops = existing(conn, change)
    copy = Copy(conn)
    with _built(conn, change, tell) as (built, failed):
        made = _Made(built, failed, drops)
        copy.read_roots()
        measuring = Measuring(copy, clock, runs)
        created = _parts(conn, built)
        dropped = [Part((each.schema, each.name), each.shown, False) for each in drops if not each.needed]
        search = Search(measuring, workload.statements, created, [*created, *dropped], tell, leave_one_out)
        trials = search.run()
        if search.keep_existing(_still_needed(conn, change, search)):
            trials = search.measured()
        tell(0, 1, "measuring what writing costs")
        clock.held_s = 0.0
        writes, not_probed = write_costs(
            copy, made.built, search.without, search.visible(search.kept), clock, probe_rows
        )
        take_homes = _take_homes(conn, made, search, clock, tell)
        indexes = tuple(_index_trials(made, search, trials, take_homes))
    return _trial(db, change, search, trials, indexes, writes, clock, not_probed)


def _still_needed(conn: Connection, change: Change, search: Search) -> dict[str, tuple[str, ...]]:
    """What existing indexes are needed for where new ones that would have taken over were rejected."""
    kept = {part.shown for part in search.kept}
    left = Change([each for each in change.create if each.qualified in kept], change.drop)
    going = [each.qualified for each in change.create if each.qualified not in kept]
    return {each.shown: each.needed for each in existing(conn, left, ignored=going) if each.needed}


def _parts(conn: Connection, built: Sequence[Built]) -> list[Part]:
    tables: dict[str, set[str]] = {}
    names = sorted({index_table(each.index) for each in built})
    for row in sql.fetch(conn, "proof/trials/tables_beneath.sql", {"names": names}):
        tables.setdefault(row["given"], set()).add(qualified(row["schema"], row["name"]))
    return [
        Part(
            (each.index.definition.schema, each.index.name),
            each.index.qualified,
            True,
            each.size_bytes,
            frozenset(tables.get(index_table(each.index), ())),
        )
        for each in built
    ]


def _require_names(conn: Connection, change: Change) -> None:
    names = [(each.definition.schema, each.name) for each in change.create]
    taken = names_taken(conn, [schema for schema, _ in names])
    for schema, name in names:
        if not name or len(name.encode()) > LONGEST_NAME:
            raise BadInput(
                f"an index name has 1 to {LONGEST_NAME} bytes, and {name!r} has {len(name.encode())}"
            )
        if (schema, name) in taken:
            raise BadInput(f"{qualified(schema, name)} is there already: give the new index another name")
        if names.count((schema, name)) > 1:
            raise BadInput(f"{qualified(schema, name)} is to be created twice: give each index its own name")


@contextlib.contextmanager
def _built(conn: Connection, change: Change, tell: Progress) -> Iterator[tuple[list[Built], list[NotBuilt]]]:
    """The new indexes, dropped after the block by the statements to take home where they are still there."""
    built: list[Built] = []
    failed: list[NotBuilt] = []
    try:
        for number, index in enumerate(change.create):
            tell(number, len(change.create), f"building {index.qualified}")
            found = build(conn, index, timeout_s=_LONGEST_BUILD_S)
            if isinstance(found, Built):
                built.append(found)
            else:
                failed.append(found)
        yield built, failed
    finally:
        if not conn.closed:
            left = sql.fetch(
                conn, "proof/trials/resolved.sql", {"names": [each.index.qualified for each in built]}
            )
            by_name = {each.index.qualified: each for each in built}
            for row in left:
                for statement in by_name[row["given"]].take_home.undo:
                    conn.execute(statement)


def _take_homes(
    conn: Connection, made: _Made, search: Search, clock: Clock, tell: Progress
) -> dict[str, TakeHome]:
    """What to take home, run on the copy: the undo of what was built, both ways of the drops."""
    found: dict[str, TakeHome] = {}
    for each in made.built:
        found[each.index.qualified] = _proved(conn, each.take_home, each.take_home.undo)
    kept = {part.shown for part in search.kept}
    for drop in made.drops:
        take_home = removal(conn, drop.row)
        if drop.shown not in kept:
            found[drop.shown] = replace(take_home, why_not="it is not recommended")
        elif clock.left_s <= 0:
            found[drop.shown] = replace(take_home, why_not="the limit was reached before it")
        else:
            tell(0, 1, f"dropping {drop.shown} and making it again")
            found[drop.shown] = _proved(conn, take_home, [*take_home.do, *take_home.undo])
    return found


def _proved(conn: Connection, take_home: TakeHome, statements: Sequence[str]) -> TakeHome:
    try:
        for statement in statements:
            run_alone(conn, statement, timeout_s=_LONGEST_BUILD_S)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return replace(take_home, why_not=reason(exc))
    return replace(take_home, ran=True)


def _index_trials(
    made: _Made, search: Search, trials: Sequence[StatementTrial], take_homes: dict[str, TakeHome]
) -> Iterator[IndexTrial]:
    kept = {part.shown for part in search.kept}
    for each in made.built:
        name = each.index.qualified
        users = [trial for trial in trials if name in trial.with_change.indexes]
        outcome, why = _verdict(name, name in kept, users, search)
        yield IndexTrial(
            name=name,
            action="create",
            outcome=outcome,  # type: ignore[arg-type]
            why=why,
            definition=each.index.definition,
            size_bytes=each.size_bytes,
            build_ms=each.build_ms,
            used_by=tuple(trial.name for trial in users),
            saved_ms=search.saved_ms.get(name),
            slower=tuple(trial.name for trial in users if trial.outcome == "slower"),
            take_home=take_homes.get(name),
        )
    for failed in made.failed:
        why = f"it cannot be built: {failed.why}"
        yield IndexTrial(failed.index.qualified, "create", "rejected", why, failed.index.definition)
    for drop in made.drops:
        yield _drop_trial(drop, drop.shown in kept, trials, search, take_homes)


def _verdict(name: str, kept: bool, users: Sequence[StatementTrial], search: Search) -> tuple[str, str]:
    if not kept:
        return "rejected", search.reasons[name]
    measured = [trial for trial in users if trial.saved_ms is not None]
    if not measured:
        return "not judged", "no statement that uses it was measured: " + "; ".join(
            f"{trial.name}: {trial.why}" for trial in users[:3]
        )
    gained = [trial for trial in measured if trial.outcome == "faster"]
    saved = search.saved_ms.get(name)
    if saved is None and not gained:
        return "rejected", "no statement that uses it is faster"
    alone = (
        f"by itself it saves {saved:,.1f} ms of the workload"
        if saved is not None
        else "what it saves by itself was not measured"
    )
    return "accepted", f"{len(gained)} of {len(measured)} measured statements that use it are faster; {alone}"


def _drop_trial(
    drop: Existing,
    kept: bool,
    trials: Sequence[StatementTrial],
    search: Search,
    take_homes: dict[str, TakeHome],
) -> IndexTrial:
    users = tuple(trial.name for trial in trials if drop.shown in trial.without.indexes)
    if drop.needed:
        outcome, why = "rejected", "it is needed: " + "; ".join(drop.needed)
    elif kept:
        outcome = "accepted"
        why = (
            f"no measured statement is slower without it, the {len(users)} that used it among them"
            if users
            else f"none of the plans of the {len(trials):,} statements uses it"
        )
    else:
        outcome, why = "rejected", search.reasons[drop.shown]
    return IndexTrial(
        drop.shown,
        "drop",
        outcome,  # type: ignore[arg-type]
        why,
        size_bytes=drop.size_bytes,
        used_by=users,
        take_home=take_homes.get(drop.shown),
    )


def _trial(
    db: TrialDatabase,
    change: Change,
    search: Search,
    trials: Sequence[StatementTrial],
    indexes: tuple[IndexTrial, ...],
    writes: Sequence[object],
    clock: Clock,
    not_probed: Sequence[str],
) -> Trial:
    accepted = {index.name for index in indexes if index.outcome == "accepted"}
    kept = Change(
        tuple(each for each in change.create if each.qualified in accepted),
        tuple(index.name for index in indexes if index.action == "drop" and index.name in accepted),
    )
    without_ms, with_ms = total_ms(trials)
    unmeasured = [
        f"{trial.name}: {trial.why}" for trial in trials if trial.outcome in ("not tried", "failed")
    ]
    good, why = _of_the_set(kept, trials, without_ms, with_ms, search)
    return Trial(
        accepted=good,
        why=why,
        engine=db.engine,
        rows_from=db.rows_from,
        kept=kept,
        statements=tuple(trials),
        indexes=indexes,
        writes=tuple(writes),  # type: ignore[arg-type]
        rejected=tuple(search.rejected),
        not_tried=(*db.notes, *search.not_tried, *not_probed, *unmeasured),
        without_ms=without_ms,
        with_ms=with_ms,
        size_bytes=sum(
            index.size_bytes or 0 for index in indexes if index.action == "create" and index.name in accepted
        ),
        elapsed_s=clock.elapsed_s,
        settings=db.settings,
    )


def _of_the_set(
    kept: Change,
    trials: Sequence[StatementTrial],
    without_ms: float,
    with_ms: float,
    search: Search,
) -> tuple[bool, str]:
    """Whether what is kept may be recommended, and why."""
    if not kept.create and not kept.drop:
        return False, "nothing is left to recommend: each part was rejected, for the reason beside it"
    slower = [trial for trial in trials if trial.outcome == "slower"]
    broken = [trial for trial in trials if trial.outcome == "broken"]
    if broken:
        return False, f"{broken[0].name} {broken[0].why}"
    figures = f"the measured statements take {with_ms:,.1f} ms instead of {without_ms:,.1f} ms"
    named = "; ".join(search.excused) or ", ".join(f"{trial.name} ({trial.why})" for trial in slower)
    said = f"; slower: {named}" if slower else ""
    if kept.create and with_ms >= without_ms:
        return False, f"{figures}{said}"
    return True, f"{figures}{said}"
