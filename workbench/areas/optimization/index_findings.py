"""What the advice and its trial mean: findings, claims, words, and files to take home."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench.areas.optimization.charts import cost_chart, search_chart
from workbench.areas.optimization.index_tables import described, drop_rows, indexes_as_dict
from workbench.areas.optimization.indexes import Advised, Grown
from workbench.areas.optimization.sizes import in_words
from workbench.catalog.model import qualified
from workbench.proof.findings import Evidence, Finding
from workbench.proof.plain import as_json
from workbench.proof.results import AreaResults
from workbench.proof.trials import IndexTrial, TakeHome, Trial

AREA = "optimization"
MISSING, SUPERFLUOUS = "missing_index", "superfluous_index"
PAGES = tuple(f"docs/checks/optimization_{check}.md" for check in (MISSING, SUPERFLUOUS))
CLOSE = 0.05  # a set that is proven to be within 5 % of the best is called close to it
_HOW_TO_PROVE = "workbench optimization indexes --rows copied (or generated)"
_CLAIM_CHEAPER = "The advised indexes make the workload cheaper by the planner's costs"
_CLAIM_BOUND = "No set of the same candidates within the budget is much cheaper than the advised one"
_CLAIM_FASTER = "The advised indexes make the workload faster on a copy with rows"
_CLAIM_SAME = "Every statement gives the same rows with the indexes and without"
_CLAIM_ANEW = "Found anew, without the design's own, the indexes make the workload faster"
_CLAIM_REFUSED = "What costs alone would advise was tried, refused, and is not recommended"
_CLAIM_NONE = "No further index makes the workload cheaper"


def index_findings(advised: Advised, trial: Trial | None) -> list[Finding]:
    """A finding an index to create, and one an existing index that another one makes superfluous.

    Of a set that the trial refused nothing is found.
    """
    if trial is not None and not trial.accepted:
        return []
    tried = {each.name: each for each in trial.indexes} if trial else {}
    return [*_to_create(advised, trial, tried), *_to_drop(advised, trial, tried)]


def _to_create(advised: Advised, trial: Trial | None, tried: dict[str, IndexTrial]) -> Iterator[Finding]:
    for number, each in enumerate(advised.advice.recommended):
        named = advised.indexes[number]
        judged = tried.get(named.qualified)
        if judged is not None and judged.outcome == "rejected":
            continue
        proved = judged is not None and judged.outcome == "accepted"
        definition = each.index.definition
        users = ", ".join(each.statements) or "no plan of today"
        yield Finding(
            area=AREA,
            check=MISSING,
            severity="warn" if proved and each.share >= CLOSE else "info",
            object=qualified(definition.schema, definition.table, named.name),
            title=f"an index would serve {len(each.statements)} "
            f"statement{'' if len(each.statements) == 1 else 's'}: {described(definition)}",
            why=f"It brings {each.share:.0%} of what the set saves, in {in_words(each.index.size_bytes)}; "
            f"used by: {users}.",
            fix=_script(advised.take_home[number].do, advised.take_home[number].notes),
            verified=proved,
            unverified_because="" if proved else judged.why if judged else _why_untried(trial),
            evidence=(_planned(advised, number), *_measured(judged, trial)),
        )


def _to_drop(advised: Advised, trial: Trial | None, tried: dict[str, IndexTrial]) -> Iterator[Finding]:
    for each in advised.advice.droppable:
        if not each.redundant_with:
            continue
        judged = tried.get(each.index.qualified)
        if judged is not None and judged.outcome == "rejected":
            continue
        proved = judged is not None and judged.outcome == "accepted"
        home = judged.take_home if judged else None
        yield Finding(
            area=AREA,
            check=SUPERFLUOUS,
            severity="info",
            object=qualified(each.index.schema, each.index.table, each.index.name),
            title=f"the workload does without this index: {each.reason}",
            why=f"It takes {in_words(each.index.size_bytes)}, and every write to the table pays for it.",
            fix=_script(home.do, home.notes) if home else f"drop index concurrently {each.index.qualified};",
            verified=proved,
            unverified_because="" if proved else judged.why if judged else _why_untried(trial),
            evidence=tuple(_measured(judged, trial)),
        )


def _script(statements: Sequence[str], notes: Sequence[str]) -> str:
    return "\n".join([*(f"-- {note}" for note in notes), *(f"{each};" for each in statements)])


def _why_untried(trial: Trial | None) -> str:
    return "there were no rows to try it on" if trial is None else "the time for trials was over"


def _planned(advised: Advised, number: int) -> Evidence:
    each = advised.advice.recommended[number]
    costs = {
        one.statement.name: {"cost_before": one.before, "cost_after": one.after}
        for one in advised.advice.statements
        if one.statement.name in each.statements
    }
    return Evidence(
        "what-if",
        "planned with the set and without, on a clone that has the statistics and no rows",
        advised.planned_on,
        {"size_bytes": each.index.size_bytes, "share_of_gain": each.share, "statements": costs},
    )


def _measured(judged: IndexTrial | None, trial: Trial | None) -> Iterator[Evidence]:
    if judged is None or trial is None:
        return
    facts = {
        "size_bytes": judged.size_bytes,
        "build_ms": judged.build_ms,
        "saved_ms": judged.saved_ms,
        "used_by": judged.used_by,
        "statements": {
            one.name: {"without_ms": one.without.median_ms, "with_ms": one.with_change.median_ms}
            for one in trial.statements
            if one.name in judged.used_by
        },
    }
    yield Evidence("trial", f"{judged.outcome}: {judged.why}; {trial.rows_from}", trial.engine, facts)


def advice_in_words(advised: Advised) -> list[str]:
    """The advice in lines: what it gains, how far off it can be, what it took, what is missing."""
    advice = advised.advice
    measure = "the sum of costs" if advice.objective == "total" else "the geometric mean of costs"
    ended = "" if advice.finished else " (the search ended before it could say more)"
    lines = []
    if advice.recommended:
        lines.append(
            f"{measure}: {advice.relative_cost:.1%} of what it is now, with {in_words(advice.size_bytes)} of "
            f"{in_words(advice.budget_bytes)}"
        )
    else:
        lines.append(f"no index is advised: {_why_none(advised)}")
    if advice.candidates:
        lines.append(
            f"no set of the same {_counted(advice.candidates, 'candidate')} comes below {advice.bound:.1%}: "
            f"at most {advice.gap:.1%} are left{ended}"
        )
    lines.append(
        f"{_counted(advice.whatif_calls, 'plan')} of {_counted(len(advice.statements), 'statement')} "
        f"({advised.workload.origin}) in {advice.elapsed_s:.1f} s, on {advised.planned_on}"
    )
    lines += _of_another_version(advised)
    lines += [f"not read: {each.where} {each.name}: {each.reason}" for each in _unread(advised)]
    return [*lines, *advised.workload.notes, *advice.notes]


def _of_another_version(advised: Advised) -> Iterator[str]:
    """What to think of where the planner asked is not the source's."""
    source, asked = (each.split(",")[0] for each in (advised.looked_at_on, advised.planned_on))
    if source.split(".")[0] != asked.split(".")[0]:
        yield f"the source is {source}: its own planner may choose other plans than that of {asked}"


def _why_none(advised: Advised) -> str:
    advice = advised.advice
    if not advice.candidates:
        return (
            "nothing that the statements ask for lacks an index, or no index that they ask for fits in "
            f"{in_words(advice.budget_bytes)}"
        )
    return (
        f"none of {_counted(advice.candidates, 'candidate')} makes the workload cheaper within "
        f"{in_words(advice.budget_bytes)}"
    )


def _counted(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _unread(advised: Advised) -> list:  # type: ignore[type-arg]
    return [*advised.workload.unread, *advised.advice.unread]


def trial_in_words(trial: Trial) -> list[str]:
    """The trial in lines."""
    lines = [
        f"{'accepted' if trial.accepted else 'not accepted'}: {trial.why}",
        f"tried on {trial.rows_from}",
    ]
    if trial.relative_time is not None and (trial.kept.create or trial.kept.drop):
        lines.append(
            f"weighted time {trial.without_ms:,.1f} ms without, {trial.with_ms:,.1f} ms with the indexes: "
            f"{trial.relative_time:.0%}"
        )
    return [*lines, *trial.not_tried]


def record_indexes(
    results: AreaResults, advised: Advised, trial: Trial | None, grown: Sequence[Grown] = ()
) -> None:
    """Put the findings, claims, figures and files of the advice into *results*."""
    advice = advised.advice
    results.add_findings(index_findings(advised, trial))
    results.add_fact("Statements planned", len(advice.statements), advised.workload.origin)
    results.add_fact(
        "Planner's cost with new indexes",
        f"{advice.relative_cost:.1%}",
        f"{_counted(len(advice.recommended), 'index', 'indexes')} within {in_words(advice.budget_bytes)}; "
        f"no set of the candidates is below {advice.bound:.1%}",
    )
    if trial is not None:
        kept = len(trial.kept.create) if trial.accepted else 0
        note = "after the trial" if kept else "none stood the trial"
        results.add_fact("Indexes recommended", kept, note)
        if trial.accepted and trial.relative_time is not None:
            results.add_fact("Measured time with them", f"{trial.relative_time:.1%}", trial.rows_from)
    _claims(results, advised, trial)
    results.add_artifact(
        "indexes.json", as_json(indexes_as_dict(advised, trial)), "the advice and its figures"
    )
    results.add_artifact(
        "indexes.sql", take_home_script(advised, trial), "the indexes, and what takes them back"
    )
    results.add_artifact("costs.svg", cost_chart(advised), "the planner's costs with the indexes and without")
    if len(advice.stages) > 2:
        results.add_artifact(
            "search.svg", search_chart(advice.stages), "how the search came to its set and bound"
        )
    if grown and (trial is None or trial.accepted):
        results.add_fact(
            "Their cost at larger volumes",
            ", ".join(
                f"{each.volume:g} times: {each.relative_cost:.0%}" for each in grown if each.volume > 1
            ),
            "planned, not run",
        )


def record_anew(results: AreaResults, advised: Advised, trial: Trial | None) -> None:
    """Put what was found without the source's own indexes into *results*: a claim and files, no finding."""
    advice = advised.advice
    said = f"{advice.relative_cost:.1%} of the cost that keys alone leave; bound {advice.bound:.1%}"
    results.add_fact("Indexes found anew", len(advice.recommended), said)
    if trial is not None:
        results.add_proof(
            _CLAIM_ANEW, trial.accepted, trial.engine, detail="; ".join(trial_in_words(trial)[:3])
        )
    results.add_artifact(
        "indexes-anew.sql", take_home_script(advised, trial), "indexes as if there were keys alone"
    )
    results.add_artifact(
        "costs-anew.svg", cost_chart(advised), "costs with them, and with keys alone", cover=True
    )


def _claims(results: AreaResults, advised: Advised, trial: Trial | None) -> None:
    advice = advised.advice
    said = f"{advice.relative_cost:.1%} of the cost; bound {advice.bound:.1%}; {advice.whatif_calls:,} plans"
    if not advice.recommended:
        close = advice.gap <= CLOSE
        results.add_proof(
            _CLAIM_NONE,
            True if close else "not proved",
            advised.planned_on,
            detail=said,
            why_not="" if close else "the search ended before it could tell",
        )
        return
    if trial is not None and not trial.accepted:
        words = "; ".join(trial_in_words(trial)[:3])
        results.add_proof(_CLAIM_REFUSED, True, trial.engine, detail=f"planned: {said}; measured: {words}")
        return
    results.add_proof(_CLAIM_CHEAPER, advice.relative_cost < 1, advised.planned_on, detail=said)
    close = advice.gap <= CLOSE
    results.add_proof(
        _CLAIM_BOUND,
        True if close else "not proved",
        advised.planned_on,
        detail=f"at most {advice.gap:.1%} are left, as far as an index never makes a plan dearer",
        why_not="" if close else f"the search ended with {advice.gap:.1%} between the set and the bound",
        how_to="" if close else "workbench optimization indexes --deadline 600",
    )
    if trial is None:
        results.add_proof(
            _CLAIM_FASTER,
            "not proved",
            advised.planned_on,
            why_not="a named database is only read, and nobody allowed its rows to be copied",
            how_to=_HOW_TO_PROVE,
        )
        return
    results.add_proof(
        _CLAIM_FASTER, trial.accepted, trial.engine, detail="; ".join(trial_in_words(trial)[:3])
    )
    compared = [each for each in trial.statements if each.results.outcome != "not compared"]
    if compared:
        different = [each.name for each in compared if each.results.outcome == "different"]
        results.add_proof(
            _CLAIM_SAME,
            not different,
            trial.engine,
            detail=f"{len(compared)} statements compared"
            + (f"; different: {', '.join(different)}" if different else ""),
        )


def kept_take_home(advised: Advised, trial: Trial | None) -> list[TakeHome]:
    """What creates the advised indexes and drops what a trial accepted, without what it rejected.

    Of a set that was refused nothing.
    """
    if trial is not None and not trial.accepted:
        return []
    rejected = {each.name for each in trial.indexes if each.outcome == "rejected"} if trial else set()
    homes = [
        home
        for named, home in zip(advised.indexes, advised.take_home, strict=True)
        if named.qualified not in rejected
    ]
    drops = [each for each in trial.indexes if each.action == "drop"] if trial else []
    return homes + [each.take_home for each in drops if each.outcome == "accepted" and each.take_home]


def take_home_script(advised: Advised, trial: Trial | None) -> str:
    """The statements that make the indexes, under what is said of each, and as comments what undoes them."""
    tried = {each.name: each for each in trial.indexes} if trial else {}
    lines = [
        "-- Indexes for the workload. Read, then run each statement alone: none may be in a transaction."
    ]
    for number, each in enumerate(advised.advice.recommended):
        judged = tried.get(advised.indexes[number].qualified)
        verdict = f"{judged.outcome}: {judged.why}" if judged else "not tried on rows"
        home = advised.take_home[number]
        rejected = judged is not None and judged.outcome == "rejected"
        lines += ["", f"-- {each.share:.1%} of the gain, {in_words(each.index.size_bytes)}; {verdict}"]
        lines += [f"-- {note}" for note in home.notes]
        lines += [f"{'-- ' if rejected else ''}{statement};" for statement in home.do]
        lines += [f"-- undo: {statement};" for statement in home.undo]
    for row in drop_rows(advised, trial):
        lines += ["", f"-- {row['advised']}: {row['index']}, {row['size']}: {row['why']} ({row['proved']})"]
    return "\n".join(lines) + "\n"
