"""Expiry proved by waiting for it: what is past its date goes, and nothing else does."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.database import Database

from workbench.catalog.collections import CollectionIndex
from workbench.errors import BadInput
from workbench.proof.documents.values import MISSING, with_value
from workbench.proof.results import Outcome

_POLL_S = 0.05
_AN_HOUR = timedelta(hours=1)
_UNSEEN = (
    "the server's TTL monitor did not pass in time: it does each ttlMonitorSleepSecs, by default 60, "
    "and each second on a server of ours"
)


@dataclass(frozen=True)
class ExpiryProof:
    """What became of documents around their date under one TTL index.

    *removed* and *kept* name the documents, such as ``an hour past its date``. *outcome* is "proved" where
    exactly those past their date went, "refuted" where one stayed though the monitor has passed, or one
    went that should not, "not proved" where the monitor did not pass in time; *reason* says which.
    """

    collection: str
    index: str
    outcome: Outcome
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    waited_s: float = 0.0
    reason: str = ""

    def row(self) -> dict[str, Any]:
        """The proof as a row of a table."""
        return {
            "collection": self.collection,
            "index": self.index,
            "outcome": self.outcome,
            "removed": "; ".join(self.removed),
            "kept": "; ".join(self.kept),
            "waited_s": round(self.waited_s, 1),
            "reason": self.reason,
        }


def prove_expiry(
    database: Database[dict[str, Any]],
    collection: str,
    indexes: Sequence[CollectionIndex],
    *,
    good: Mapping[str, Any] | None = None,
    path: str = "",
    deadline_s: float = 30.0,
) -> ExpiryProof:
    """Whether documents of *collection* go when their date has passed, and others stay.

    A scratch collection of *database* gets the TTL index among *indexes* (or, where there is none, no
    index, which shows that nothing goes) and documents like *good* whose date at *path*, by default the
    index's field, is past, to come, absent, text, and one of an array. A second collection with an
    index that must work tells when the server's TTL monitor has passed; it does once a minute by
    default, so a *deadline_s* below that proves something on our own servers alone. Raises BadInput where
    neither an index nor *path* names the field.
    """
    ttl = next((each for each in indexes if each.expire_after_s is not None), None)
    if ttl is None and not path:
        raise BadInput(f"{collection} has no TTL index: name the field that should expire in path")
    field = path or (ttl.paths[0] if ttl else "")
    subject, witness = (database[f"workbench_expiry_{uuid.uuid4().hex[:12]}"] for _ in range(2))
    name = ttl.name if ttl else f"none on {field}"
    after = timedelta(seconds=ttl.expire_after_s or 0) if ttl else timedelta(0)
    documents = _documents(field, after, good or {})
    started = time.monotonic()
    try:
        database.create_collection(subject.name)
        if ttl is not None:
            _create(database, subject.name, ttl)
        subject.insert_many([document for _, document, _ in documents])
        witness.create_index("at", expireAfterSeconds=0)
        if not (_passes(witness, started + deadline_s) and _passes(witness, started + deadline_s)):
            return ExpiryProof(collection, name, "not proved", reason=_UNSEEN)
        left = {each["_id"] for each in subject.find({}, {"_id": 1})}
    finally:
        subject.drop()
        witness.drop()
    removed = tuple(says for says, document, _ in documents if document["_id"] not in left)
    kept = tuple(says for says, document, _ in documents if document["_id"] in left)
    reason = _why({says for says, _, goes in documents if goes}, set(removed), ttl, field)
    waited_s = time.monotonic() - started
    return ExpiryProof(collection, name, "refuted" if reason else "proved", removed, kept, waited_s, reason)


def _passes(witness: Collection[dict[str, Any]], deadline: float) -> bool:
    """Whether the TTL monitor removes a document of *witness* before *deadline*, of the monotonic clock.

    Two in a row: the second pass began after all was there.
    """
    witness.insert_one({"at": datetime.now(UTC) - _AN_HOUR})
    while witness.find_one() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _create(database: Database[dict[str, Any]], collection: str, ttl: CollectionIndex) -> None:
    options: dict[str, Any] = {
        "name": ttl.name,
        "key": dict(ttl.key),
        "expireAfterSeconds": ttl.expire_after_s,
    }
    if ttl.partial_filter is not None:
        options["partialFilterExpression"] = dict(ttl.partial_filter)
    database.command("createIndexes", collection, indexes=[options])


def _documents(
    field: str, after: timedelta, good: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any], bool]]:
    """What each document is, the document, and whether it should go."""
    now = datetime.now(UTC)
    past, coming = now - after - _AN_HOUR, now - after + _AN_HOUR
    dates: list[tuple[str, Any, bool]] = [
        ("an hour past its date", past, True),
        ("with an array of dates of which one is past", [coming, past], True),
        ("an hour before its date", coming, False),
        ("without a date", MISSING, False),
        ("with a date as text", past.isoformat(), False),
        ("with null for a date", None, False),
    ]
    place = tuple(field.split("."))
    return [
        (says, {**with_value(dict(good), place, value), "_id": ObjectId()}, goes)
        for says, value, goes in dates
    ]


def _why(expected: set[str], removed: set[str], ttl: CollectionIndex | None, field: str) -> str:
    if stayed := sorted(expected - removed):
        why = f"no index of the collection expires {field}" if ttl is None else "its index let it be"
        return f"what should go stayed: {', '.join(stayed)} ({why})"
    if gone := sorted(removed - expected):
        return f"a document went that should stay: {', '.join(gone)}"
    return ""


def prove_series_expiry(
    database: Database[dict[str, Any]],
    collection: str,
    options: Mapping[str, Any],
    expire_after_s: float | None,
    *,
    deadline_s: float = 30.0,
) -> ExpiryProof:
    """Whether the events of a time series with the ``timeseries`` *options* go when they are old enough.

    A bucket goes as a whole, once the latest event that it could hold has passed its date: an old event
    stays up to the span of a bucket longer, which this allows for. Source: MongoDB manual, "Set up
    Automatic Removal for Time Series Collections".
    """
    subject, witness = (database[f"workbench_expiry_{uuid.uuid4().hex[:12]}"] for _ in range(2))
    settings: dict[str, Any] = {"timeseries": dict(options)}
    if expire_after_s is not None:
        settings["expireAfterSeconds"] = int(expire_after_s)
    started = time.monotonic()
    try:
        database.create_collection(subject.name, **settings)
        witness.create_index("at", expireAfterSeconds=0)
        span_s = subject.options()["timeseries"].get("bucketMaxSpanSeconds", 0)
        now = datetime.now(UTC)
        old = now - timedelta(seconds=(expire_after_s or 0) + span_s) - _AN_HOUR
        field, meta = options["timeField"], options.get("metaField")
        also = {meta: {"workbench": 1}} if meta else {}
        subject.insert_many([{field: old, "age": "old", **also}, {field: now, "age": "new", **also}])
        if not (_passes(witness, started + deadline_s) and _passes(witness, started + deadline_s)):
            return ExpiryProof(collection, "expireAfterSeconds", "not proved", reason=_UNSEEN)
        left = {each["age"] for each in subject.find({})}
    finally:
        subject.drop()
        witness.drop()
    reason = ""
    if left != {"new"}:
        why = "nothing expires them" if expire_after_s is None else "their bucket was let be"
        reason = f"the old events stayed ({why})" if "old" in left else "a new event went, too"
    removed = tuple(f"an {age} event" for age in ("old",) if age not in left)
    kept = tuple(f"{'an' if age == 'old' else 'a'} {age} event" for age in sorted(left))
    waited_s = time.monotonic() - started
    return ExpiryProof(
        collection,
        "expireAfterSeconds",
        "refuted" if reason else "proved",
        removed,
        kept,
        waited_s,
        reason,
    )
