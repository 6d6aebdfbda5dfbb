"""Advice and trials of indexes as rows of tables, as JSON, and as files to take home."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pglast.parser import scan

from workbench.areas.optimization.advisor.advice import Droppable
from workbench.areas.optimization.indexes import Advised, Grown
from workbench.areas.optimization.sizes import in_words
from workbench.catalog.model import qualified, quoted
from workbench.proof.trials import IndexTrial, StatementTrial, Trial, WriteCost
from workbench.proof.whatif import IndexDefinition, Key
from workbench.proof.workload import Workload

_MOST_SHOWN = 300


def workload_rows(workload: Workload) -> list[dict[str, Any]]:
    """A statement a row; times in ms where a server has measured them."""
    return [
        {
            "statement": each.name,
            "kind": each.kind,
            "weight": each.weight,
            "mean_ms": round(each.observed.mean_ms, 2) if each.observed else None,
            "values": "known" if each.values else "none needed" if each.values == () else "any",
            "where": each.where,
            "sql": _one_line(each.sql),
        }
        for each in workload.statements
    ]


def unread_rows(workload: Workload) -> list[dict[str, Any]]:
    """A statement that could not be read a row: where it stands, and why."""
    return [{"where": each.where, "statement": each.name, "why": each.reason} for each in workload.unread]


def chosen(rows: Iterable[Mapping[str, Any]], columns: str) -> list[dict[str, Any]]:
    """Of *rows* the *columns*, named with a space between, that have a value in any of them."""
    listed = list(rows)
    names = [name for name in columns.split() if any(row.get(name) not in (None, "") for row in listed)]
    return [{name: row.get(name) for name in names} for row in listed]


def noted(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Lines as rows of a table."""
    return [{"note": line} for line in lines]


def _one_line(text: str) -> str:
    """*text* from behind its leading comments, as far as it fits a table."""
    begins = (each.start for each in scan(text) if each.name not in ("SQL_COMMENT", "C_COMMENT"))
    words = " ".join(text[next(begins, 0) :].split())
    return words if len(words) <= _MOST_SHOWN else words[:_MOST_SHOWN] + " …"


def index_rows(advised: Advised, trial: Trial | None = None) -> list[dict[str, Any]]:
    """An advised index a row: predicted bytes, its part of the gain, who uses it, what the trial says."""
    tried = {each.name: each for each in trial.indexes} if trial else {}
    return [
        {
            "index": described(each.index.definition),
            "size": in_words(each.index.size_bytes),
            "share_of_gain": f"{each.share:.1%}",
            "used_by": ", ".join(each.statements),
            **_tried(tried.get(advised.indexes[number].qualified)),
        }
        for number, each in enumerate(advised.advice.recommended)
    ]


def _tried(trial: IndexTrial | None) -> dict[str, Any]:
    if trial is None:
        return {"built": None, "proved": "not tried", "why": ""}
    return {
        "built": in_words(trial.size_bytes) if trial.size_bytes is not None else None,
        "proved": trial.outcome,
        "why": trial.why,
    }


def described(definition: IndexDefinition) -> str:
    """An index for people: its table, keys, and what else there is of it."""
    keys = ", ".join(map(_key, definition.keys))
    text = f"{qualified(definition.schema, definition.table)} ({keys})"
    if definition.method != "btree":
        text = f"{definition.method}: {text}"
    if definition.included:
        text += f" include ({', '.join(map(quoted, definition.included))})"
    return text + (f" where {definition.predicate}" if definition.predicate else "")


def _key(key: Key) -> str:
    text = f"({key.text})" if key.is_expression else quoted(key.text)
    if key.operator_class:
        text += f" {qualified(*key.operator_class)}"
    if key.descending:
        text += " desc"
    if key.nulls_first is not None and key.nulls_first != key.descending:
        text += " nulls first" if key.nulls_first else " nulls last"
    return text


def rejected_rows(advised: Advised) -> list[dict[str, Any]]:
    """The candidates that gain most alone and were left, with their figures."""
    return [
        {
            "index": described(each.definition),
            "size": in_words(each.size_bytes),
            "gain_alone": f"{round(each.gain_alone, 3) + 0.0:.1%}",  # and no -0.0%
            "why_not": each.reason,
        }
        for each in advised.advice.rejected
    ]


def drop_rows(advised: Advised, trial: Trial | None = None) -> list[dict[str, Any]]:
    """Existing indexes that the workload does without."""
    tried = {each.name: each for each in trial.indexes if each.action == "drop"} if trial else {}
    return [
        {
            "index": each.index.qualified,
            "size": in_words(each.index.size_bytes),
            "why": each.reason,
            "advised": "drop" if each.redundant_with else "look into it",
            "proved": tried[each.index.qualified].outcome if each.index.qualified in tried else "not tried",
        }
        for each in _still_droppable(advised, trial)
    ]


def _still_droppable(advised: Advised, trial: Trial | None) -> list[Droppable]:
    """The existing indexes that can go, without those that need a new one where a trial rejected any."""
    rejected = trial is not None and any(
        each.action == "create" and each.outcome == "rejected" for each in trial.indexes
    )
    return [each for each in advised.advice.droppable if not (rejected and each.needs_new)]


def cost_rows(advised: Advised) -> list[dict[str, Any]]:
    """A statement a row: the planner's costs without and with the set, those that change most first."""
    return [
        {
            "statement": each.statement.name,
            "weight": each.statement.weight,
            "cost_before": round(each.before, 1),
            "cost_after": round(each.after, 1),
            "ratio": round(each.ratio, 4),
            "sql": _one_line(each.statement.sql),
        }
        for each in sorted(
            advised.advice.statements, key=lambda one: one.statement.weight * (one.after - one.before)
        )
    ]


def trial_rows(trial: Trial) -> list[dict[str, Any]]:
    """A statement a row: medians in ms, pages of 8 KB, and whether both sides gave the same rows."""
    return [_trial_row(each) for each in trial.statements]


def _trial_row(each: StatementTrial) -> dict[str, Any]:
    return {
        "statement": each.name,
        "outcome": each.outcome,
        "without_ms": _rounded(each.without.median_ms),
        "with_ms": _rounded(each.with_change.median_ms),
        "ratio": _rounded(each.ratio.value if each.ratio else None),
        "pages_without": each.without.buffers,
        "pages_with": each.with_change.buffers,
        "results": each.results.outcome,
        "indexes": ", ".join(each.with_change.indexes),
        "why": each.why,
    }


def write_rows(costs: Iterable[WriteCost]) -> list[dict[str, Any]]:
    """What a written row costs, in µs and bytes of WAL, without and with the set."""
    return [
        {
            "table": each.table,
            "write": each.kind + (f" ({each.column})" if each.column else ""),
            "rows": each.rows,
            "without_us": _rounded(each.without_us),
            "with_us": _rounded(each.with_us),
            "wal_without": _rounded(each.without_wal_bytes),
            "wal_with": _rounded(each.with_wal_bytes),
            "hot_without": _rounded(each.without_hot),
            "hot_with": _rounded(each.with_hot),
            "why": each.why,
        }
        for each in costs
    ]


def tried_rows(trial: Trial) -> list[dict[str, Any]]:
    """The sets that were tried and not kept, a row each, with the figures that said so."""
    return [
        {"set": ", ".join(each.indexes), "left_out": ", ".join(each.left_out), "why": each.why}
        for each in trial.rejected
    ]


def grown_rows(grown: Sequence[Grown]) -> list[dict[str, Any]]:
    """The same set at larger volumes."""
    return [
        {
            "volume": f"{each.volume:g} times",
            "relative_cost": f"{each.relative_cost:.1%}",
            "size": in_words(each.size_bytes),
            "planned_otherwise": ", ".join(each.changed_plans),
        }
        for each in grown
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def indexes_as_dict(advised: Advised, trial: Trial | None = None) -> dict[str, Any]:
    """The advice and its proof as plain data; sizes in bytes, shares and costs as parts of one."""
    advice = advised.advice
    tried = {each.name: each for each in trial.indexes} if trial else {}
    return {
        "workload": {
            "origin": advised.workload.origin,
            "statements": len(advised.workload.statements),
            "unread": [asdict(each) for each in (*advised.workload.unread, *advice.unread)],
            "notes": advised.workload.notes,
        },
        "planned_on": advised.planned_on,
        "objective": advice.objective,
        "volume": advised.volume,
        "settings": advised.settings,
        "budget_bytes": advice.budget_bytes,
        "size_bytes": advice.size_bytes,
        "relative_cost": advice.relative_cost,
        "bound": advice.bound,
        "gap": advice.gap,
        "finished": advice.finished,
        "candidates": advice.candidates,
        "whatif_calls": advice.whatif_calls,
        "elapsed_s": round(advice.elapsed_s, 3),
        "sampled_s": round(advice.sampled_s, 3),
        "indexes": [
            {
                "name": advised.indexes[number].name,
                "table": f"{each.index.definition.schema}.{each.index.definition.table}",
                "method": each.index.definition.method,
                "create": advised.take_home[number].do,
                "drop": advised.take_home[number].undo,
                "bytes": each.index.size_bytes,
                "share": each.share,
                "statements": each.statements,
                "proof": _proof(tried.get(advised.indexes[number].qualified)),
            }
            for number, each in enumerate(advice.recommended)
        ],
        "drop": [
            _drop_dict(each, tried.get(each.index.qualified)) for each in _still_droppable(advised, trial)
        ],
        "rejected": [
            {
                "index": described(each.definition),
                "bytes": each.size_bytes,
                "gain_alone": each.gain_alone,
                "reason": each.reason,
            }
            for each in advice.rejected
        ],
        "statements": cost_rows(advised),
        "trial": _trial_dict(trial),
        "notes": advice.notes,
    }


def _drop_dict(each: Droppable, trial: IndexTrial | None) -> Mapping[str, Any]:
    home = trial.take_home if trial else None
    return {
        "index": each.index.qualified,
        "bytes": each.index.size_bytes,
        "kind": each.kind,
        "why": each.reason,
        "advised": "drop" if each.redundant_with else "look into it",
        "drop": home.do if home else (f"drop index concurrently {each.index.qualified}",),
        "create": home.undo if home else (),
        "proof": _proof(trial),
    }


def _proof(trial: IndexTrial | None) -> Mapping[str, Any] | None:
    if trial is None:
        return None
    return {
        "outcome": trial.outcome,
        "why": trial.why,
        "bytes": trial.size_bytes,
        "build_ms": trial.build_ms,
        "saved_ms": trial.saved_ms,
        "used_by": trial.used_by,
    }


def _trial_dict(trial: Trial | None) -> Mapping[str, Any] | None:
    if trial is None:
        return None
    return {
        "accepted": trial.accepted,
        "why": trial.why,
        "engine": trial.engine,
        "rows": trial.rows_from,
        "without_ms": trial.without_ms,
        "with_ms": trial.with_ms,
        "size_bytes": trial.size_bytes,
        "statements": trial_rows(trial),
        "writes": write_rows(trial.writes),
        "tried_and_left": tried_rows(trial),
        "not_tried": trial.not_tried,
        "elapsed_s": round(trial.elapsed_s, 1),
    }
