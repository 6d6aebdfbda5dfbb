"""What the checks claim, tried on a real server: in one scratch database, on a few documents of our own.

A proof reads what it needs from the facts of a finding's evidence. It says what it saw, whatever that is:
where the server does not bear the claim out, the finding stays and is not verified.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from bson import Decimal128, Int64, ObjectId
from pymongo.collection import Collection as Documents
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from workbench.engines.mongo import MongoServer
from workbench.proof.explain_documents import ExecutionStats, execution_stats
from workbench.proof.findings import SEVERITIES, Evidence, Finding

DOCUMENTS = 200  # in a scratch collection
MOST_TRIALS = 1_000  # of the findings of one review; those that are not tried keep what was counted
TTL_WAIT_S = 75.0  # the longest that the TTL monitor may take: it runs once a minute, if not told otherwise

Facts = Mapping[str, Any]
Database_ = Database[dict[str, Any]]
Documents_ = Documents[dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What was seen, and whether it bears out the claim; *counted* are the figures."""

    holds: bool
    summary: str
    counted: Mapping[str, Any]


Proof = Callable[[Documents_, Facts], Outcome]


def tried(findings: Sequence[Finding], engine: MongoServer) -> list[Finding]:
    """The *findings*, those whose claim can be tried with what was seen on *engine*."""
    trials = _trials(findings)
    if not trials:
        return list(findings)
    with engine.scratch_database(label="review") as database:
        expiring = {trial: finding for trial, finding in trials.items() if finding.check in _EXPIRING}
        seen = _expiry_outcomes(database, expiring)
        for trial, finding in trials.items():
            if finding.check in PROOFS:
                seen[trial] = _outcome(PROOFS[finding.check], database["claim"], _facts(finding))
    return [
        _with(finding, seen[trial], engine.description) if (trial := _trial(finding)) in seen else finding
        for finding in findings
    ]


def _trials(findings: Sequence[Finding]) -> dict[str, Finding]:
    """What is to be tried, by what decides its outcome, with a finding that asks for it; the worst first."""
    wanted = [finding for finding in findings if finding.check in PROOFS or finding.check in _EXPIRING]
    wanted.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    trials: dict[str, Finding] = {}
    for finding in wanted:
        if len(trials) == MOST_TRIALS:
            break
        trials.setdefault(_trial(finding), finding)
    return trials


def _trial(finding: Finding) -> str:
    """The same for findings whose trial is the same: of one check, with the same facts."""
    return json.dumps([finding.check, _facts(finding)], sort_keys=True, default=str)


def _facts(finding: Finding) -> Facts:
    return finding.evidence[0].facts if finding.evidence else {}


def _outcome(proof: Proof, collection: Documents_, facts: Facts) -> Outcome:
    try:
        return proof(collection, facts)
    except PyMongoError as exc:
        return Outcome(False, f"the server refuses the trial: {str(exc).splitlines()[0]}", {})
    finally:
        # thousands of trials would be thousands of files that the server has open
        for name in collection.database.list_collection_names():
            collection.database.drop_collection(name)


def _with(finding: Finding, outcome: Outcome, engine: str) -> Finding:
    """The finding with the trial beside its counts; a claim that rests on the trial is verified by it."""
    evidence = (*finding.evidence, Evidence("attempt", outcome.summary, engine, dict(outcome.counted)))
    if not outcome.holds:
        return replace(finding, evidence=evidence, verified=False, unverified_because=outcome.summary)
    if finding.verified or finding.check in _BY_TRIAL:
        return replace(finding, evidence=evidence, verified=True, unverified_because="")
    return replace(finding, evidence=evidence)


def _document(path: str, value: Any) -> dict[str, Any]:
    """A document with *value* at the queried *path*."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def _merged(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            there = whole.get(name)
            whole[name] = (
                _merged([there, value]) if isinstance(there, dict) and isinstance(value, dict) else value
            )
    return whole


def _run(collection: Documents_, command: Mapping[str, Any]) -> ExecutionStats:
    """The figures of one run of *command*."""
    return execution_stats(collection.database.command("explain", dict(command), verbosity="executionStats"))


# Indexes


def _served_by_the_other(collection: Documents_, facts: Facts) -> Outcome:
    """The search and the sort on the narrow key go by the index that is kept, once the other is hidden."""
    narrow = [(path, way) for path, way in facts["key"]]
    wide = [(path, way) for path, way in facts["kept_key"]]
    options: dict[str, Any] = {"sparse": True} if facts["sparse"] else {}
    if facts["collation"]:
        options["collation"] = {
            name: value for name, value in facts["collation"].items() if name != "version"
        }
    partial = json.loads(facts["partial_filter"]) if facts["partial_filter"] else None
    paths = dict.fromkeys(path for path, _ in wide)
    collection.insert_many(
        _merged([_document(path, number % (7 + at)) for at, path in enumerate(paths) if path != "_id"])
        for number in range(DOCUMENTS)
    )
    narrow_name = collection.create_index(narrow, name="narrow", **options)
    wide_name = collection.create_index(wide, name="wide", **options)
    command: dict[str, Any] = {
        "find": collection.name,
        "filter": {narrow[0][0]: 3} if not facts["sparse"] else {narrow[0][0]: {"$gte": 3}},
        "sort": dict(narrow),
    }
    if "collation" in options:
        command["collation"] = options["collation"]
    before = _run(collection, command)
    collection.drop_index(narrow_name)
    after = _run(collection, command)
    of_filter = " Both have the same filter, which was left out." if partial else ""
    return Outcome(
        after.index_names == (wide_name,) and after.documents_examined <= max(before.documents_examined, 1),
        f"On {DOCUMENTS} documents a search and sort on {narrow[0][0]} read {before.keys_examined} keys and "
        f"{before.documents_examined} "
        "documents with both "
        f"indexes, and {after.keys_examined} keys and {after.documents_examined} documents by the kept one "
        "after the other was "
        f"dropped.{of_filter}",
        {
            "keys_before": before.keys_examined,
            "documents_before": before.documents_examined,
            "keys_after": after.keys_examined,
            "documents_after": after.documents_examined,
        },
    )


def _refuses_both(collection: Documents_, facts: Facts) -> Outcome:
    """A document in which both are arrays is refused under an index on both."""
    one, other = facts["one"], facts["other"]
    collection.create_index([(one, 1), (other, 1)])
    document = _merged([_document(one, [1, 2]), _document(other, [1, 2])])
    try:
        collection.insert_one(document)
    except OperationFailure as exc:
        return Outcome(
            exc.code == 171,
            f"A document with an array in both was refused with error {exc.code}: cannot index parallel "
            "arrays.",
            {"code": exc.code},
        )
    return Outcome(False, "the server took a document with an array in both", {})


def _scans_for_the_join(collection: Documents_, facts: Facts) -> Outcome:
    """$lookup reads every document for each, and one with the index."""
    path = facts["path"]
    collection.insert_many(_document(path, number) for number in range(DOCUMENTS))
    others = collection.database[f"{collection.name}_origin"]
    others.insert_many({"reference": number} for number in range(10))
    stage = {"from": collection.name, "localField": "reference", "foreignField": path, "as": "joined"}
    before = _lookup_reads(others, stage)
    collection.create_index([(path, 1)])
    after = _lookup_reads(others, stage)
    return Outcome(
        before >= DOCUMENTS and after < before,
        f"A $lookup for 10 documents read {before:,} of {DOCUMENTS} documents without, {after:,} with an "
        f"index on {path}.",
        {"documents_without": before, "documents_with": after},
    )


def _lookup_reads(origin: Documents_, stage: Mapping[str, Any]) -> int:
    """How many documents a $lookup examined, those that it began with among them."""
    command = {"aggregate": origin.name, "pipeline": [{"$lookup": dict(stage)}], "cursor": {}}
    return _run(origin, command).documents_examined


# Patterns


def _folds_by_collation(collection: Documents_, facts: Facts) -> Outcome:
    """A pattern without regard to case reads all keys; an equality under the collation those of the value."""
    path = facts["path"]
    collection.insert_many(_document(path, f"Value {number}") for number in range(DOCUMENTS))
    folding = {"locale": "en", "strength": 2}
    collection.create_index([(path, 1)], name="plain")
    collection.create_index([(path, 1)], name="folding", collation=folding)
    loose = {"find": collection.name, "filter": {path: {"$regex": "^value 7$", "$options": "i"}}}
    equal = {"find": collection.name, "filter": {path: "VALUE 7"}, "collation": folding}
    by_pattern, by_collation = _run(collection, loose), _run(collection, equal)
    loose_keys, equal_keys = by_pattern.keys_examined, by_collation.keys_examined
    return Outcome(
        by_collation.index_names == ("folding",) and equal_keys < loose_keys,
        f"Among {DOCUMENTS} documents the pattern with the option i read {loose_keys} keys, an equality "
        "under a collation of "
        f"strength 2 read {equal_keys}.",
        {"keys_by_pattern": loose_keys, "keys_by_collation": equal_keys},
    )


def _reads_every_key(collection: Documents_, facts: Facts) -> Outcome:
    """A pattern bound to no start reads every key of the index, one bound to it those that begin so."""
    path = facts["path"]
    collection.insert_many(_document(path, f"value {number:04}") for number in range(DOCUMENTS))
    collection.create_index([(path, 1)])
    loose = {"find": collection.name, "filter": {path: {"$regex": "0007"}}}
    bound = {"find": collection.name, "filter": {path: {"$regex": "^value 0007"}}}
    loose_keys, bound_keys = _run(collection, loose).keys_examined, _run(collection, bound).keys_examined
    return Outcome(
        loose_keys >= DOCUMENTS > bound_keys,
        f"Of {DOCUMENTS} keys of an index the pattern without a start read {loose_keys}, one bound to the "
        f"start {bound_keys}.",
        {"keys_unbound": loose_keys, "keys_bound": bound_keys},
    )


# Types

_EXAMPLES: Mapping[str, Any] = {
    "string": "text",
    "int": 7,
    "long": Int64(2**40),
    "double": 7.5,
    "decimal": Decimal128("7.5"),
    "date": datetime(2024, 1, 15, tzinfo=UTC),
    "objectId": ObjectId("65a4f0000000000000000001"),
    "bool": True,
    "object": {"value": 7},
    "array": [],
    "binData": b"\x07",
}


def _other_types_stay_unmatched(collection: Documents_, facts: Facts) -> Outcome:
    """A range over one type matches no document of another."""
    path, types = facts["path"], facts["types"]
    known = [name for name in types if name in _EXAMPLES and name != "array"]
    if len(known) < 2:
        return _refuses_a_push(collection, path, known)
    main = max(known, key=lambda name: types[name])
    collection.insert_many(_document(path, _EXAMPLES[name]) for name in known)
    alike = {"int", "long", "double", "decimal"}
    others = [name for name in known if name != main and not {name, main} <= alike]
    matched = collection.count_documents({path: {"$gte": _EXAMPLES[main], "$lte": _EXAMPLES[main]}})
    unmatched = len(known) - matched
    return Outcome(
        unmatched >= len(others),
        f"Of one document each of {', '.join(known)}, a range over {main} matched {matched} and passed over "
        f"{unmatched}.",
        {"documents": len(known), "matched": matched},
    )


def _refuses_a_push(collection: Documents_, path: str, known: Sequence[str]) -> Outcome:
    """What is no array takes no $push."""
    if not known:
        return Outcome(False, "none of the types was tried", {})
    collection.insert_one(_document(path, _EXAMPLES[known[0]]))
    try:
        collection.update_one({}, {"$push": {path: 1}})
    except OperationFailure as exc:
        return Outcome(True, f"$push to a {known[0]} was refused with error {exc.code}.", {"code": exc.code})
    return Outcome(False, f"$push to a {known[0]} was accepted", {})


def _sorts_as_text(collection: Documents_, facts: Facts) -> Outcome:
    """A comparison with a date matches no string."""
    path, texts = facts["path"], facts["examples"]
    collection.insert_many(_document(path, text) for text in texts)
    matched = collection.count_documents({path: {"$gte": datetime(1970, 1, 1, tzinfo=UTC)}})
    return Outcome(
        matched == 0,
        f"Of {len(texts)} of the strings a comparison with the date of 1970-01-01 matched {matched}.",
        {"strings": len(texts), "matched": matched},
    )


def _counts_as_nothing(collection: Documents_, facts: Facts) -> Outcome:
    """$sum passes over strings, and a comparison with a number matches none."""
    path, texts = facts["path"], facts["examples"]
    collection.insert_many(_document(path, text) for text in texts)
    (summed,) = collection.aggregate([{"$group": {"_id": None, "sum": {"$sum": f"${path}"}}}])
    matched = collection.count_documents({path: {"$gte": -1e18}})
    return Outcome(
        summed["sum"] == 0 and matched == 0,
        f"The $sum of {', '.join(texts)} as they are was {summed['sum']}, and a comparison with a number "
        f"matched {matched}.",
        {"sum": summed["sum"], "matched": matched},
    )


def _is_not_equal(collection: Documents_, facts: Facts) -> Outcome:
    """An equality with the id does not match its text."""
    identity = {"objectId": ObjectId, "uuid": UUID, "number": int}[facts["type"]](facts["example"])
    collection.insert_one(_document(facts["path"], facts["example"]))
    matched = collection.count_documents({facts["path"]: identity})
    return Outcome(
        matched == 0,
        f"An equality with the id matched {matched} of 1 of its text.",
        {"matched": matched},
    )


def _sums_differ(collection: Documents_, facts: Facts) -> Outcome:
    """The $sum of ten amounts of 0.10 as double, and as decimal."""
    path = facts["path"]
    collection.insert_many(_document(path, 0.1) for _ in range(10))
    (double,) = collection.aggregate(
        [
            {
                "$group": {
                    "_id": None,
                    "sum": {"$sum": f"${path}"},
                    "three": {"$first": {"$multiply": [1199.99, 3]}},
                }
            }
        ]
    )
    collection.update_many({}, [{"$set": {path: {"$round": [{"$toDecimal": f"${path}"}, 2]}}}])
    (decimal,) = collection.aggregate([{"$group": {"_id": None, "sum": {"$sum": f"${path}"}}}])
    exact = decimal["sum"].to_decimal() == Decimal("1.00")
    return Outcome(
        double["three"] != 3599.97 and exact,
        f"As double 3 times 1199.99 is {double['three']!r}; ten times 0.10 as decimal, after the fix, sum to "
        f"{decimal['sum']}.",
        {"three_times_1199_99": repr(double["three"]), "sum_of_decimals": str(decimal["sum"])},
    )


PROOFS: Mapping[str, Proof] = {
    "redundant_index": _served_by_the_other,
    "parallel_arrays": _refuses_both,
    "unindexed_lookup": _scans_for_the_join,
    "case_insensitive_match_without_collation": _folds_by_collation,
    "unanchored_regex": _reads_every_key,
    "mixed_types": _other_types_stay_unmatched,
    "date_as_string": _sorts_as_text,
    "number_as_string": _counts_as_nothing,
    "id_as_string": _is_not_equal,
    "money_as_double": _sums_differ,
}
_BY_TRIAL = frozenset(
    {
        "redundant_index",
        "parallel_arrays",
        "unindexed_lookup",
        "case_insensitive_match_without_collation",
        "unanchored_regex",
    }
)
_EXPIRING = frozenset({"missing_ttl", "ttl_on_non_dates"})


# What a TTL index removes: all at once, for the monitor is waited for


def _expiry_outcomes(database: Database_, expiring: Mapping[str, Finding]) -> dict[str, Outcome]:
    """Of each finding's field: an expired date is removed under a TTL index, what is no date stays."""
    trials = {trial: database[f"expiry_{number}"] for number, trial in enumerate(expiring)}
    past = datetime.now(UTC) - timedelta(days=1)
    for trial, finding in expiring.items():
        collection, path = trials[trial], _facts(finding)["path"]
        collection.insert_one({**_document(path, past), "kept": False})
        types = _facts(finding).get("types", {})
        collection.insert_many(
            {**_document(path, _EXAMPLES[name] if name != "long" else Int64(past.timestamp())), "kept": True}
            for name in [*types, "string"]
            if name in _EXAMPLES and name != "date"
        )
        collection.create_index([(path, 1)], expireAfterSeconds=0)
    waiting = list(trials.values())
    until = time.monotonic() + TTL_WAIT_S
    while waiting and time.monotonic() < until:
        waiting = [each for each in waiting if each.count_documents({"kept": False})]
        if waiting:
            time.sleep(0.1)
    return {trial: _expiry_outcome(collection) for trial, collection in trials.items()}


def _expiry_outcome(collection: Documents_) -> Outcome:
    dated = collection.count_documents({"kept": False})
    others = collection.count_documents({"kept": True})
    return Outcome(
        dated == 0 and others > 0,
        "Under a TTL index the document with a date of yesterday was "
        f"{'removed' if not dated else 'not removed'}; {others} with "
        "what is no date stayed.",
        {"removed": 1 - dated, "stayed": others},
    )
