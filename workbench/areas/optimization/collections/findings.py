"""What is said of the operations and indexes of collections, with the statements that change it and "
"undo it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from workbench.areas.optimization.collections.review import OperationsReview, Reviewed
from workbench.areas.optimization.collections.slow import said_operation
from workbench.areas.optimization.collections.trial import DropTrial, IndexTrial
from workbench.catalog.collections import CollectionIndex
from workbench.catalog.shapes import written
from workbench.documents.indexing.advice import fix, is_seldom, reasons
from workbench.documents.mongosh import key_document, plain_json, shell, size, spelled, text
from workbench.proof.findings import SEVERITIES, Evidence, Finding, Severity

AREA = "optimization"
SLOW, MISSING, NEEDLESS, UNUSED = (
    "collections_slow_operation",
    "collections_missing_index",
    "collections_needless_index",
    "collections_unused_index",
)
PAGES = tuple(f"docs/checks/optimization_{check}.md" for check in (SLOW, MISSING, NEEDLESS, UNUSED))
NOTICED_MS = 100.0  # of one call
NOTICED_SHARE = 0.05  # of the time of all operations that were recorded
_SAID = 160  # characters of an operation in a title
_SERIOUS = frozenset(["collection_scan", "sort_in_memory", "javascript", "join_without_index"])
_DROPPED = {"duplicate": NEEDLESS, "redundant": NEEDLESS, "superseded": NEEDLESS, "unused": UNUSED}


def findings_of(review: OperationsReview) -> list[Finding]:
    """The findings of *review*, the worst first: slow operations, indexes to make, indexes to do without."""
    found = [
        *(_slow(each, review) for each in review.operations if is_noticed(each)),
        *(_missing(each, review) for each in review.indexes if each.accepted or not _was_tried(each, review)),
        *(_needless(each, review) for each in review.drops if each.proved or not each.effects),
    ]
    return sorted(found, key=lambda each: (SEVERITIES.index(each.severity), each.object, each.check))


def _was_tried(trial: IndexTrial, review: OperationsReview) -> bool:
    """Whether its rejection is a result; what could not be tried stays advice, not proved."""
    return bool(review.tried_on) and not trial.because.startswith("not proved")


def is_noticed(each: Reviewed) -> bool:
    """Whether something is to be held against an operation that takes time, alone or by its number."""
    takes_time = not each.slow.calls or each.slow.mean_ms >= NOTICED_MS or each.slow.share >= NOTICED_SHARE
    return bool(each.reasons) and takes_time


def _slow(each: Reviewed, review: OperationsReview) -> Finding:
    slow, operation = each.slow, each.slow.operation
    said = _short(said_operation(operation))
    kinds = {reason.kind for reason in each.reasons}
    severity: Severity = "warn" if kinds & _SERIOUS else "info"
    measured = (
        f"{slow.calls:,} calls took {slow.total_ms:,.0f} ms, {slow.mean_ms:,.1f} ms each and "
        f"{slow.max_ms:,.0f} ms "
        f"at most, {slow.share:.0%} of the time on record; they read {slow.keys_examined:,} keys and "
        f"{slow.documents_examined:,} documents for {slow.returned:,} returned."
        if slow.calls
        else "It is declared and was not recorded."
    )
    return Finding(
        area=AREA,
        check=SLOW,
        severity=severity,
        object=f"{written((review.database, operation.collection))} {said}",
        title=f"{operation.collection}: {said}: {each.reasons[0].says}",
        why=f"{measured} {' '.join(f'{_sentence(reason.says)}.' for reason in each.reasons)} "
        "Source: MongoDB manual, Query Optimization.",
        fix="\n".join(f"// {reason.remedy}" for reason in each.reasons),
        verified=bool(slow.calls),
        unverified_because="" if slow.calls else "it was declared, and no call of it is on record",
        evidence=(Evidence("operations", measured, review.looked_at_on, slow_facts(each)),),
    )


def _short(said: str) -> str:
    """*said*, cut where it is long, and still another than any other that is cut."""
    if len(said) <= _SAID:
        return said
    return f"{said[:_SAID]}… {hashlib.sha256(said.encode()).hexdigest()[:8]}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def slow_facts(each: Reviewed) -> dict[str, Any]:
    """The figures of an operation as plain data; times in ms, sizes in bytes."""
    slow = each.slow
    return {
        "collection": slow.operation.collection,
        "operation": said_operation(slow.operation),
        "origin": slow.origin,
        "calls": slow.calls,
        "total_ms": round(slow.total_ms, 3),
        "mean_ms": round(slow.mean_ms, 3),
        "max_ms": round(slow.max_ms, 3),
        "share": round(slow.share, 4),
        "plan": slow.plan,
        "plans": dict(slow.plans),
        "keys_examined": slow.keys_examined,
        "documents_examined": slow.documents_examined,
        "returned": slow.returned,
        "documents_per_returned": round(slow.documents_per_returned, 2),
        "keys_per_returned": round(slow.keys_per_returned, 2),
        "sorted_in_memory": slow.sorted_in_memory,
        "used_disk": slow.used_disk,
        "yields": slow.yields,
        "replanned": slow.replanned,
        "write_conflicts": slow.write_conflicts,
        "response_bytes": slow.response_bytes,
        "skipped": slow.skipped,
        "query_hashes": list(slow.query_hashes),
        "plan_cache_keys": list(slow.plan_cache_keys),
        "reasons": [{"kind": r.kind, "says": r.says, "remedy": r.remedy} for r in each.reasons],
    }


def _missing(trial: IndexTrial, review: OperationsReview) -> Finding:
    advice = trial.advice
    first = advice.needs[0]
    seen = "as was recorded" if first.operation.documents_examined is not None else "by an estimate"
    why = [*reasons(advice, f"it reads {first.now:,.0f} documents of it each time {seen}")]
    if trial.accepted:
        why.append(_sentence(trial.because) + ".")
    if trial.insert_us:
        without, with_it = trial.insert_us
        more = f"{with_it - without:,.1f} µs more" if with_it > without else "no more that could be measured"
        why.append(f"An insert took {without:,.1f} µs without it and {more} with it.")
    if trial.index_bytes:
        why.append(f"It takes {size(trial.index_bytes)} for {trial.documents:,} documents.")
    if trial.losses:
        why.append(
            f"{len(trial.losses)} other operations choose it and read more for it, less by far than it saves."
        )
    facts = trial_facts(trial)
    return Finding(
        area=AREA,
        check=MISSING,
        severity="info" if is_seldom(advice) or not trial.accepted else "warn",
        object=advice.object,
        title=f"{advice.collection.name} lacks an index on {advice.paths}",
        why=" ".join(why),
        fix=f"{fix(replace(advice, extends=()))}\n// undo: {undo_of(trial)}",
        verified=trial.accepted,
        unverified_because="" if trial.accepted else trial.because.removeprefix("not proved: "),
        evidence=(
            Evidence(
                "plan" if trial.accepted else "operations",
                _sentence(trial.because) + ".",
                review.tried_on or review.looked_at_on,
                facts,
            ),
        ),
    )


def undo_of(trial: IndexTrial) -> str:
    """The statement that takes an index away again, or hides it again."""
    verb = "hideIndex" if trial.advice.hidden else "dropIndex"
    return f"{shell(trial.advice.collection.name)}.{verb}({text(trial.name)})"


def trial_facts(trial: IndexTrial) -> dict[str, Any]:
    """What was measured of an index, as plain data."""
    return {
        "collection": trial.advice.collection.name,
        "index": trial.name,
        "key": [list(part) for part in trial.advice.key],
        "accepted": trial.accepted,
        "because": trial.because,
        "documents": trial.documents,
        "whole_collection": trial.whole,
        "index_bytes": trial.index_bytes,
        "insert_us_without": round(trial.insert_us[0], 1) if trial.insert_us else None,
        "insert_us_with": round(trial.insert_us[1], 1) if trial.insert_us else None,
        "saved_ms_an_hour": trial.saved_ms_an_hour,
        "operations": [each.as_facts for each in trial.effects],
        "slower_operations": [each.as_facts for each in trial.losses],
        "origins": sorted({each.origin for each in trial.advice.operations if each.origin}),
    }


def _needless(drop: DropTrial, review: OperationsReview) -> Finding:
    index, name = drop.index, drop.collection.name
    takes = f" It takes {size(index.size_bytes)}." if index.size_bytes else ""
    target, named = shell(name), text(index.name)
    return Finding(
        area=AREA,
        check=_DROPPED[drop.kind],
        severity="warn" if drop.kind in ("duplicate", "redundant") else "info",
        object=written((review.database, name, index.name)),
        title=_drop_title(drop),
        why=f"{_drop_reason(drop)}{takes} Every insert and delete writes it. {_sentence(drop.because)}. "
        "A hint that names it must be changed first. Source: MongoDB manual, Remove Unnecessary "
        "Indexes; Hidden Indexes.",
        fix=f"{target}.hideIndex({named});  // undone at once: {target}.unhideIndex({named})\n"
        f"// when nothing has become slower: {target}.dropIndex({named})\n// undo: {created(drop)}",
        verified=drop.proved,
        unverified_because="" if drop.proved else drop.because,
        evidence=(
            Evidence(
                "plan" if drop.proved else "catalog",
                _sentence(drop.because) + ".",
                review.tried_on if drop.proved else review.looked_at_on,
                drop_facts(drop),
            ),
        ),
    )


def _drop_title(drop: DropTrial) -> str:
    name, index = drop.collection.name, drop.index.name
    match drop.kind:
        case "unused":
            return f"No operation read the index {index} of {name} since it is counted"
        case "superseded":
            return f"The index {index} of {name} is served by {drop.kept} once that is made"
        case _:
            return f"The index {index} of {name} is served by {drop.kept} as well"


def _drop_reason(drop: DropTrial) -> str:
    index = drop.index
    if drop.kind == "unused":
        since = f"{index.accesses_since:%Y-%m-%d}" if index.accesses_since else "its start"
        return (
            f"Since {since} the members that could be asked counted no access of {index.name} "
            f"{key_document(index.key)}; what runs once a month may still come."
        )
    same = "has the same fields" if drop.kind == "duplicate" else "begins with the same fields"
    return (
        f"{drop.kept} {same} as {index.name} {key_document(index.key)}, under the same collation and filter."
    )


def drop_facts(drop: DropTrial) -> dict[str, Any]:
    """What was seen of an index that could go, as plain data."""
    return {
        "collection": drop.collection.name,
        "index": drop.index.name,
        "kind": drop.kind,
        "kept": drop.kept,
        "proved": drop.proved,
        "because": drop.because,
        "operations_run": drop.operations,
        "size_bytes": drop.index.size_bytes,
        "accesses": drop.index.accesses,
        "accesses_since": f"{drop.index.accesses_since:%Y-%m-%dT%H:%M:%SZ}"
        if drop.index.accesses_since
        else None,
        "operations": [each.as_facts for each in drop.effects],
    }


def created(drop: DropTrial) -> str:
    """The statement of mongosh that makes a dropped index again."""
    made = f"{key_document(drop.index.key)}, {spelled(_options(drop.index))}"
    return f"{shell(drop.collection.name)}.createIndex({made})"


def _options(index: CollectionIndex) -> dict[str, Any]:
    """All options of an index, its name among them."""
    options: dict[str, Any] = {"name": index.name, **index.options}
    if index.unique:
        options["unique"] = True
    if index.sparse:
        options["sparse"] = True
    if index.partial_filter is not None:
        options["partialFilterExpression"] = dict(index.partial_filter)
    if index.expire_after_s is not None:
        options["expireAfterSeconds"] = index.expire_after_s
    if index.collation:
        options["collation"] = {name: value for name, value in index.collation.items() if name != "version"}
    return options


def commands_of(review: OperationsReview) -> list[dict[str, Any]]:
    """Each accepted index and each proved drop as commands of the server: *do* and *undo*, a document "
    "each."""
    return [plain_json(each) for each in (*_made(review), *_hidden(review))]


def _made(review: OperationsReview) -> Iterator[dict[str, Any]]:
    for trial in review.accepted:
        advice, name = trial.advice, trial.advice.collection.name
        if advice.hidden:
            change: dict[str, Any] = {"collMod": name, "index": {"name": advice.hidden, "hidden": False}}
            back: dict[str, Any] = {"collMod": name, "index": {"name": advice.hidden, "hidden": True}}
        else:
            index: dict[str, Any] = {"key": dict(advice.key), "name": advice.name}
            if advice.collation:
                index["collation"] = dict(advice.collation)
            change = {"createIndexes": name, "indexes": [index]}
            back = {"dropIndexes": name, "index": advice.name}
        yield {"object": advice.object, "do": change, "undo": back}


def _hidden(review: OperationsReview) -> Iterator[dict[str, Any]]:
    for drop in review.drops:
        if not drop.proved:
            continue
        name, index = drop.collection.name, drop.index
        again = {"key": dict(index.key), **_options(index)}
        yield {
            "object": written((review.database, name, index.name)),
            "do": {"collMod": name, "index": {"name": index.name, "hidden": True}},
            "undo": {"collMod": name, "index": {"name": index.name, "hidden": False}},
            "later": {"dropIndexes": name, "index": index.name},
            "undo_later": {"createIndexes": name, "indexes": [again]},
        }


__all__ = [
    "AREA",
    "PAGES",
    "commands_of",
    "created",
    "drop_facts",
    "findings_of",
    "is_noticed",
    "slow_facts",
    "trial_facts",
    "undo_of",
]
