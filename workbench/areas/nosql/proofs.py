"""The design of the example proved on a server; the validators of any database tried on copies.

Everything happens in scratch databases of the engine. What could not be tried is recorded as not proved,
with the reason and what helps.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import bson
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from workbench.areas.nosql.operation_proofs import prove_operations
from workbench.areas.nosql.roles import logins, roles
from workbench.catalog.collections import Collection, CollectionIndex
from workbench.documents.example.build import sample_queries
from workbench.documents.example.designs import CODEC, CollectionDesign, design, designed
from workbench.documents.source import DocumentSource
from workbench.engines.mongo import MongoServer
from workbench.errors import EngineError
from workbench.proof.documents.at_once import at_once
from workbench.proof.documents.bad_documents import (
    GoodDocuments,
    ValidatorAttempt,
    attempt_validators,
    good_documents,
)
from workbench.proof.documents.claims import Claim
from workbench.proof.documents.expiry import ExpiryProof, prove_expiry, prove_series_expiry
from workbench.proof.documents.failures import prove_under_failure
from workbench.proof.documents.index_use import IndexProof, prove_index_use
from workbench.proof.documents.privileges import RoleAttempt, attempt_anonymously, attempt_privileges
from workbench.proof.documents.time_series import (
    TimeSeriesComparison,
    compare_time_series,
    time_series_limits,
)
from workbench.proof.documents.transactions import prove_transactions
from workbench.proof.documents.unique_indexes import UniqueAttempt, attempt_unique_indexes
from workbench.proof.results import AreaResults, Outcome

Documents = Database[dict[str, Any]]
SAMPLE = 200  # documents of a collection that bad ones are made from
EVENTS = 50_000  # of which a time series is compared with a plain collection
_MOST_BYTES = 10 << 20
OUR_SERVER = "unset WORKBENCH_MONGODB_URL"  # ours does what one by URL may not
AGAIN = "workbench nosql prove"
_CODEC: bson.CodecOptions[dict[str, Any]] = CODEC.with_options(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO
)


@dataclass
class Proofs:
    """All that was tried, by kind. Each list is empty where nothing of its kind was tried.

    *not_tried* are claims that could not be, with the reason.
    """

    validators: list[ValidatorAttempt] = field(default_factory=list)
    good: list[GoodDocuments] = field(default_factory=list)
    unique: list[UniqueAttempt] = field(default_factory=list)
    indexes: list[IndexProof] = field(default_factory=list)
    expiry: list[ExpiryProof] = field(default_factory=list)
    time_series: TimeSeriesComparison | None = None
    claims: dict[str, list[Claim]] = field(default_factory=dict)
    roles: list[RoleAttempt] = field(default_factory=list)
    not_tried: list[Claim] = field(default_factory=list)

    def summary(self) -> list[dict[str, Any]]:
        """A row a claim: what is claimed, the outcome, what was seen."""
        return [each.row() for each in claims_of(self)]


# The example


def prove_example(server: MongoServer, database: Documents, *, failures: bool = True) -> Proofs:
    """Prove the design in force in *database*, the example built in a scratch database of *server*.

    Without *failures* no private replica set is started, which saves some ten seconds. What a server by
    URL does not let us do is among *not_tried*.
    """
    database = database.with_options(codec_options=CODEC)
    proofs = Proofs()
    proofs.validators, proofs.good = prove_validators(database)
    proofs.unique = prove_unique_indexes(database)
    proofs.indexes = prove_indexes(database)
    proofs.expiry = prove_expiries(database)
    proofs.time_series = prove_time_series(database)
    tries: list[tuple[str, Callable[[], list[Claim]]]] = [
        ("time series", lambda: time_series_limits(database)),
        ("transactions", lambda: prove_transactions(database)),
        ("operations", lambda: _operations(server)),
    ]
    if failures:
        tries.append(("failures", prove_under_failure))
    for kind, prove in tries:
        try:
            proofs.claims[kind] = prove()
        except (EngineError, OperationFailure) as exc:
            proofs.not_tried.append(_not_tried(_WHAT[kind], exc))
    try:
        proofs.roles = prove_roles(server, database)
    except OperationFailure as exc:
        proofs.not_tried.append(_not_tried(_WHAT["roles"], exc))
    return proofs


_WHAT = {
    "time series": "what a time series cannot do is refused",
    "transactions": "transactions are all or nothing",
    "operations": "reservations, carts and ingestion bear several writers at once",
    "failures": "write and read concerns keep what they promise when the primary is lost",
    "roles": "each role may do what it must and no more",
}


def _not_tried(claim: str, exc: Exception) -> Claim:
    return Claim(claim, False, "", why_not=str(exc))


def _operations(server: MongoServer) -> list[Claim]:
    with server.scratch_database(label="operations") as scratch:
        return prove_operations(scratch.with_options(codec_options=CODEC))


def prove_validators(database: Documents) -> tuple[list[ValidatorAttempt], list[GoodDocuments]]:
    """Each rule of each collection's validator broken alone; and whether the good documents pass."""
    attempts, good = [], []
    for each in design():
        if each.validator:
            documents = _documents(database, each)
            says = [(rule.says, rule.expression) for rule in each.rules]
            attempts += attempt_validators(database, each.name, each.validator, documents, says=says)
            good.append(good_documents(database, each.name, documents))
    return attempts, good


def _documents(database: Documents, each: CollectionDesign) -> list[dict[str, Any]]:
    """Documents of the collection, of every kind that its unique partial indexes speak of."""
    collection = database[each.name]
    found = list(collection.find(sort=[("_id", 1)], limit=SAMPLE))
    for index in each.indexes:
        if filter_ := index.options.get("partialFilterExpression"):
            found += collection.find(filter_, limit=5)
    return list({each["_id"]: each for each in found}.values())


def prove_unique_indexes(database: Documents) -> list[UniqueAttempt]:
    """The same key twice under each unique index of the design."""
    return [
        attempt
        for each in design()
        if any(index.options.get("unique") for index in each.indexes)
        for attempt in attempt_unique_indexes(database, each.name, _indexes(each), _documents(database, each))
    ]


def _indexes(each: CollectionDesign) -> list[CollectionIndex]:
    return [
        CollectionIndex(
            index.name,
            index.key,
            unique=bool(index.options.get("unique")),
            partial_filter=index.options.get("partialFilterExpression"),
            expire_after_s=index.options.get("expireAfterSeconds"),
        )
        for index in each.indexes
    ]


def prove_indexes(database: Documents) -> list[IndexProof]:
    """What each query reads with the index that it is for, and once that is hidden."""
    return [
        prove_index_use(database[each.collection], each.operation, each.index, says=each.says)
        for each in sample_queries(database)
    ]


def prove_expiries(database: Documents, *, deadline_s: float = 30.0) -> list[ExpiryProof]:
    """What goes and what stays under each TTL index and in the time series, all waited for at once."""
    calls: list[Callable[[], ExpiryProof]] = []
    for each in design():
        if series := each.options.get("timeseries"):
            after_s = each.options.get("expireAfterSeconds")
            calls.append(
                partial(prove_series_expiry, database, each.name, series, after_s, deadline_s=deadline_s)
            )
        for index in _indexes(each):
            if index.expire_after_s is not None:
                good = database[each.name].find_one(index.partial_filter or {})
                calls.append(
                    partial(prove_expiry, database, each.name, [index], good=good, deadline_s=deadline_s)
                )
    return [_result(each) for each in at_once(calls)] if calls else []


def _result(answer: ExpiryProof | Exception) -> ExpiryProof:
    if isinstance(answer, Exception):
        raise answer
    return answer


def prove_time_series(database: Documents, *, runs: int = 7) -> TimeSeriesComparison:
    """The activities as the time series of the design and as a plain collection with the same indexes."""
    each = designed("user_activities")
    events = list(database[each.name].find({}, {"_id": 0}, limit=EVENTS))
    models = [index.model for index in each.indexes]
    queries = [
        (query.says, query.operation)
        for query in sample_queries(database)
        if query.collection == each.name and not _is_by_distance(query.operation.pipeline)
    ]
    return compare_time_series(
        database,
        events,
        database[each.name].options()["timeseries"],
        indexes=models,
        plain_indexes=models,
        queries=queries,
        runs=runs,
    )


def _is_by_distance(pipeline: Sequence[Mapping[str, Any]]) -> bool:
    return any("$geoNear" in stage for stage in pipeline)


def prove_roles(server: MongoServer, database: Documents) -> list[RoleAttempt]:
    """What each role of the design may do is done, all else, and anything without a login, is refused.

    Raises OperationFailure where *server* does not let us make users.
    """
    names = [each.name for each in design()]
    privileges = {role.name: role.privileges for role in roles()}
    views = sorted({name for granted in privileges.values() for name in granted} - set(names))
    with logins(database) as made, ExitStack() as opened:
        clients = {
            role: opened.enter_context(
                server.client(user=login.user, password=login.password, authSource=login.database)
            )
            for role, login in made.items()
        }
        attempts = attempt_privileges(
            clients, database.name, privileges, [*names, *views], administrator=database
        )
        nobody = opened.enter_context(replace(server, user=None, password=None).client())
        return attempts + attempt_anonymously(nobody, database.name, names, administrator=database)


# Any database of collections


def prove_source(source: DocumentSource, server: MongoServer, *, sample: int = SAMPLE) -> Proofs:
    """Try the validators and the unique indexes of *source* on copies of its collections on *server*.

    A copy has the structure and up to *sample* of the documents, from which bad ones are made; the source
    is only read. Raises SourceError and its kinds where it cannot be.
    """
    proofs = Proofs()
    for each in source.catalog.collections:
        unique = [index for index in each.indexes if index.unique and index.name != "_id_"]
        if each.kind != "collection" or not (each.validator or unique):
            continue
        try:
            _prove_copy(proofs, source, server, each, unique, sample)
        except (PyMongoError, BSONError) as exc:
            claim = f"{each.name}: its validator and unique indexes refuse what they should"
            proofs.not_tried.append(_not_tried(claim, exc))
    return proofs


def _prove_copy(
    proofs: Proofs,
    source: DocumentSource,
    server: MongoServer,
    each: Collection,
    unique: Sequence[CollectionIndex],
    sample: int,
) -> None:
    good = _sampled(source, each.name, sample)
    with server.scratch_database(label="copy") as scratch:
        scratch = scratch.with_options(codec_options=_CODEC)
        if each.validator:
            scratch.create_collection(each.name, **_options(each))
            proofs.validators += attempt_validators(scratch, each.name, each.validator, good)
            proofs.good.append(good_documents(scratch, each.name, good))
            scratch.drop_collection(each.name)
        proofs.unique += attempt_unique_indexes(scratch, each.name, unique, good)


def _sampled(source: DocumentSource, collection: str, sample: int) -> list[dict[str, Any]]:
    """Up to *sample* documents, and no more than some ten MB of them: they are held, and sent often."""
    documents: list[dict[str, Any]] = []
    size = 0
    for batch in source.batches(collection, sample=sample):
        size += len(batch)
        documents += bson.decode_all(batch, _CODEC)
        if size > _MOST_BYTES:
            break
    return documents


def _options(each: Collection) -> dict[str, Any]:
    options: dict[str, Any] = {"validator": dict(each.validator or {})}
    if each.validation_level:
        options["validationLevel"] = each.validation_level
    if each.validation_action:
        options["validationAction"] = each.validation_action
    if each.collation:
        options["collation"] = dict(each.collation)
    return options


# What follows from it, for the report


def claims_of(proofs: Proofs) -> list[Claim]:
    """Everything that was tried, as one claim a collection, an index, a query or a role."""
    return [
        *_validator_claims(proofs),
        *map(_unique_claim, proofs.unique),
        *map(_index_claim, proofs.indexes),
        *map(_expiry_claim, proofs.expiry),
        *_time_series_claims(proofs.time_series),
        *(claim for claims in proofs.claims.values() for claim in claims),
        *_role_claims(proofs.roles),
        *proofs.not_tried,
    ]


def record_proofs(results: AreaResults, proofs: Proofs, engine: str) -> None:
    """Add what was proved, refuted and not proved to *results*, each with what was seen on *engine*."""
    for claim in claims_of(proofs):
        results.add_proof(
            claim.claim,
            claim.outcome,
            engine,
            detail=claim.saw,
            why_not=claim.why_not,
            how_to=_help() if claim.why_not else "",
        )


def _help() -> str:
    return OUR_SERVER if os.environ.get("WORKBENCH_MONGODB_URL") else AGAIN


def _validator_claims(proofs: Proofs) -> Iterable[Claim]:
    for good in proofs.good:
        own = [each for each in proofs.validators if each.collection == good.collection]
        refused = [each for each in own if each.outcome == "refused"]
        accepted = [each for each in own if each.outcome == "accepted"]
        untried = [each for each in own if each.outcome == "not tried"]
        saw = f"{len(refused)} of {len(own)} rules refused the document that broke them"
        saw += f", {sum(each.alone for each in refused)} of these broken alone"
        if accepted:
            saw += f"; accepted: {_listed(accepted)} ({accepted[0].reason})"
        if untried:
            saw += f"; not tried: {_listed(untried)}"
        yield Claim(
            f"{good.collection}: each rule of its validator refuses a document that breaks it",
            not accepted,
            saw if refused or accepted else "",
            {"rules": len(own), "refused": len(refused), "accepted": len(accepted)},
            why_not="" if refused or accepted else untried[0].reason if untried else "it has no rules",
        )
        if good.tried:
            yield Claim(
                f"{good.collection}: its validator accepts the documents that are there",
                not good.refused,
                f"{good.tried - good.refused} of {good.tried} accepted"
                + (f"; the first refused: {good.reason}" if good.refused else ""),
            )


def _listed(attempts: Sequence[ValidatorAttempt]) -> str:
    shown = [" ".join(filter(None, (each.path, each.rule))) for each in attempts[:3]]
    more = len(attempts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _unique_claim(attempt: UniqueAttempt) -> Claim:
    misses = f"; accepted: {', '.join(attempt.near_miss)}" if attempt.near_miss else ""
    return Claim(
        f"{attempt.collection}: the unique index {attempt.index} refuses the same {attempt.key} twice",
        attempt.outcome == "refused",
        f"refused with {attempt.code}{misses}" if attempt.outcome == "refused" else attempt.reason,
        why_not=attempt.reason if attempt.outcome == "not tried" else "",
    )


def _index_claim(proof: IndexProof) -> Claim:
    by, without = proof.by, proof.without
    saw = f"{by.keys_examined} keys and {by.documents_examined} documents for {by.returned} returned"
    saw += ", sorted in memory" if by.in_memory_sort else ""
    if not proof.used:
        saw = f"it went by {', '.join(by.index_names) or 'the whole collection'}: {saw}"
    if without is not None:
        saw += f"; without it {without.keys_examined} keys and {without.documents_examined} documents"
        saw += ", sorted in memory" if without.in_memory_sort else ""
    elif proof.without_reason:
        saw += f"; {proof.without_reason}"
    return Claim(
        f"{proof.collection}: {proof.query}, by the index {proof.index}",
        proof.used,
        saw,
        {"keys": by.keys_examined, "documents": by.documents_examined, "returned": by.returned},
    )


def _expiry_claim(proof: ExpiryProof) -> Claim:
    return Claim(
        f"{proof.collection}: {proof.index} removes what is past its date, and nothing else",
        proof.outcome == "proved",
        proof.reason or f"removed: {', '.join(proof.removed)}; kept: {', '.join(proof.kept)}",
        why_not=proof.reason if proof.outcome == "not proved" else "",
    )


def _time_series_claims(found: TimeSeriesComparison | None) -> Iterable[Claim]:
    if found is None:
        return
    series, plain = found.time_series, found.plain
    yield Claim(
        "the activities take fewer bytes as a time series than in a plain collection with the same indexes",
        series.total_bytes < plain.total_bytes,
        f"{series.total_bytes:,} bytes against {plain.total_bytes:,} for {series.documents:,} events, "
        f"{series.events_per_bucket or 0:.0f} a bucket",
        {"time_series_bytes": series.total_bytes, "plain_bytes": plain.total_bytes},
    )
    different = [each.query for each in found.queries if not each.same_result]
    yield Claim(
        "the time series and the plain collection give the same answers",
        not different,
        f"{len(found.queries) - len(different)} of {len(found.queries)} queries"
        + (f"; different: {', '.join(different)}" if different else ""),
    )


def _role_claims(attempts: Sequence[RoleAttempt]) -> Iterable[Claim]:
    for role in dict.fromkeys(each.role for each in attempts):
        own = [each for each in attempts if each.role == role]
        wrong = [each for each in own if not each.as_expected]
        allowed = sum(each.outcome == "allowed" for each in own)
        claim = (
            "without a login nothing can be done"
            if role == "nobody"
            else f"the role {role} may do what it must and no more"
        )
        saw = f"{allowed} of {len(own)} actions allowed, {len(own) - allowed} refused"
        if wrong:
            saw += "; not as designed: " + ", ".join(
                f"{each.action} on {each.collection} {each.outcome}" for each in wrong[:5]
            )
        yield Claim(claim, not wrong, saw, {"allowed": allowed, "tried": len(own)})


def outcome_counts(proofs: Proofs) -> dict[Outcome, int]:
    """How many claims were proved, refuted and not proved."""
    outcomes: list[Outcome] = [each.outcome for each in claims_of(proofs)]
    return {outcome: outcomes.count(outcome) for outcome in ("proved", "refuted", "not proved")}
