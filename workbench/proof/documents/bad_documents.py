"""Validators proved by trying to break them: each rule is broken once and alone, and must refuse."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal

import bson
from bson.errors import BSONError
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from workbench.proof.documents.candidates import CERTAIN, breaking, is_about
from workbench.proof.documents.made import made
from workbench.proof.documents.reasons import VALIDATION_FAILURE, Naming, Reason, naming, reasons
from workbench.proof.documents.repairs import repair_stages, repaired
from workbench.proof.documents.rules import Clause, Rule, clauses, conjuncts, rules
from workbench.proof.documents.values import MISSING, Place, bson_type, places, value_at

Document = Mapping[str, Any]
Says = Sequence[tuple[str, Any]]  # an expression's meaning, and the expression
Outcome = Literal["refused", "accepted", "not tried"]
_DUPLICATE = 11000  # of an _id: the validator had nothing against the document
_BASES = 12
_ENOUGH = 8  # documents tried, of which one was refused for the rule, though for others, too
_ENOUGH_OF_EXPRESSIONS = 150
_CHUNKS = (1, 4, 12, 60, 120, 200)  # how many candidates of each rule that is still open go at once
_BATCH = 200
_SHOWN = 160
_STEPS_TO_MEND = 12
_CHANGES_TO_MEND = 150
_MANY = 1_000


@dataclass(frozen=True)
class ValidatorAttempt:
    """One rule of a validator, and the document that should break it.

    *path* is the field that the rule speaks of, *rule* the keyword and what it asks for. *statement* is how
    the document differs from a good one. *outcome* is "refused" only where the server named this very rule
    at this path, with *code* 121; "accepted" where it took the document; *alone* says that it named nothing
    else. *reason* says why a rule was not tried or a document was taken, or what refused it besides.
    """

    collection: str
    path: str
    rule: str
    statement: str
    outcome: Outcome
    code: int | None = None
    reason: str = ""
    alone: bool = False


@dataclass(frozen=True)
class GoodDocuments:
    """How many documents were tried that should pass, and what the server said of the first it refused."""

    collection: str
    tried: int
    refused: int
    reason: str = ""


@dataclass(frozen=True)
class _Answer:
    """What the server said of one document: taken, or the code and the reasons for which it was not."""

    taken: bool
    code: int | None = None
    reasons: tuple[Reason, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class _Candidate:
    base: Document
    document: Document
    place: Place
    was_repaired: bool = False


@dataclass
class _Search:
    """A rule with what is left to try, and the best that was found: the fewest reasons besides the rule's."""

    rule: Rule
    clause: Clause
    left: Iterator[_Candidate]
    best: tuple[_Candidate, Naming] | None = None
    taken: _Candidate | None = None
    tried: int = 0
    exhausted: bool = False
    refusals: list[str] = field(default_factory=list)

    @property
    def chosen(self) -> _Candidate | None:
        """The document to put the rule to the test with, if there is one."""
        if self.rule.keyword == "required" and self.rule.part == "_id" and not self.rule.steps:
            return None
        return self.best[0] if self.best else self.taken

    @property
    def enough(self) -> int:
        return _ENOUGH if self.rule.schema is not None else _ENOUGH_OF_EXPRESSIONS

    @property
    def settled(self) -> bool:
        return self.exhausted or (self.best is not None and (self.best[1].alone or self.tried > self.enough))


def attempt_validators(
    database: Database[dict[str, Any]],
    collection: str,
    validator: Document,
    good: Sequence[Document],
    *,
    says: Says = (),
    limit_s: float = 60.0,
) -> list[ValidatorAttempt]:
    """Try to break every rule of *validator* once, in a scratch copy of *collection*; one attempt a rule.

    *database* is a scratch database; the copy has the validator, level and action that *collection* has
    there, or *validator* where there is no such collection, and is dropped after. The bad documents are
    made from *good* ones, or from the schema where there is none that *validator* accepts. *says* gives
    what expressions of an ``$expr`` mean, in words, for the attempts' *rule*. After *limit_s* the rules
    for which nothing was found are named as not tried. Raises OperationFailure where the server refuses
    *validator* itself.
    """
    validator = _as_read(validator)
    conditions, tried = clauses(validator), rules(validator)
    if not tried:
        return []
    split = (
        {"$and": [dict(each.condition) for each in conditions]}
        if len(conditions) > 1
        else conditions[0].condition
    )
    with (
        _scratch(database, {"validator": split}) as probe,
        _scratch(database, {}) as plain,
        _scratch(database, _declared(database, collection, validator)) as copy,
    ):
        bases = _bases(probe, plain, conditions, good)
        if not bases:
            why = "no document is known that the validator accepts, and none could be made"
            return [_untried(collection, each, why) for each in tried]
        found = _searched(probe, plain, conditions, tried, bases, time.monotonic() + limit_s)
        attempts = [
            _named(attempt, search.rule, says)
            for attempt, search in zip(_attempts(collection, copy, found, says), found, strict=True)
        ]
        return attempts + _of_the_level(database, collection, copy, attempts, found)


def good_documents(
    database: Database[dict[str, Any]], collection: str, good: Sequence[Document]
) -> GoodDocuments:
    """Whether *good* are accepted by a scratch copy of *collection* with its validator."""
    with _scratch(database, _declared(database, collection, {})) as copy:
        answers = _answers(copy, good)
    refused = [each for each in answers if not each.taken]
    said = next((", ".join(map(_reason_text, each.reasons)) or each.message for each in refused), "")
    return GoodDocuments(collection, len(answers), len(refused), said)


def validator_summary(attempts: Sequence[ValidatorAttempt]) -> list[dict[str, Any]]:
    """Per collection: how many rules it has, were refused (of these alone), accepted, not tried."""
    rows = []
    for name in dict.fromkeys(each.collection for each in attempts):
        own = [each for each in attempts if each.collection == name]
        rows.append(
            {
                "collection": name,
                "rules": len(own),
                "refused": sum(each.outcome == "refused" for each in own),
                "alone": sum(each.alone for each in own),
                "accepted": sum(each.outcome == "accepted" for each in own),
                "not_tried": sum(each.outcome == "not tried" for each in own),
            }
        )
    return rows


def _as_read(document: Document) -> Document:
    """*document* with its values as the driver reads them back: as they are in what the server says."""
    return bson.decode(bson.encode(document, codec_options=_CODEC), codec_options=_CODEC)


# Scratch collections


@contextmanager
def _scratch(
    database: Database[dict[str, Any]], options: Mapping[str, Any]
) -> Iterator[Collection[dict[str, Any]]]:
    """A collection with *options* and a name of its own, dropped after the block."""
    name = f"workbench_attempt_{uuid.uuid4().hex[:12]}"
    database.create_collection(name, **options)
    try:
        yield database[name]
    finally:
        database.drop_collection(name)


def _declared(database: Database[dict[str, Any]], collection: str, validator: Document) -> dict[str, Any]:
    """The options of *collection* that decide what it refuses; *validator* where there is no collection."""
    found = next(iter(database.list_collections(filter={"name": collection})), None)
    if found is None:
        return {"validator": dict(validator)} if validator else {}
    options = found.get("options", {})
    names = ("validator", "validationLevel", "validationAction", "collation")
    return {name: options[name] for name in names if name in options}


def _answers(scratch: Collection[dict[str, Any]], documents: Sequence[Document]) -> list[_Answer]:
    """What the server says of each document; the collection is empty before and after."""
    answers: list[_Answer] = []
    for start in range(0, len(documents), _BATCH):
        batch = documents[start : start + _BATCH]
        scratch.delete_many({})
        refused: dict[int, _Answer] = {}
        try:
            scratch.insert_many([dict(each) for each in batch], ordered=False)
        except BulkWriteError as exc:
            refused = {error["index"]: _answer(error) for error in exc.details["writeErrors"]}
        answers += [refused.get(at, _Answer(True)) for at in range(len(batch))]
    scratch.delete_many({})
    return answers


def _answer(error: Mapping[str, Any]) -> _Answer:
    if error["code"] == _DUPLICATE:
        return _Answer(True)
    details = error.get("errInfo", {}).get("details", {})
    return _Answer(False, error["code"], tuple(reasons(details)), str(error.get("errmsg", "")))


# The documents that bad ones are made from


def _bases(
    probe: Collection[dict[str, Any]],
    plain: Collection[dict[str, Any]],
    conditions: Sequence[Clause],
    good: Sequence[Document],
) -> list[Document]:
    """A few of the *good* documents that the validator accepts, as different as can be, or made ones."""
    accepted = [each for each, answer in zip(good, _answers(probe, good), strict=True) if answer.taken]
    if not accepted:
        found = (_mended(probe, plain, conditions, each) for each in _made(conditions))
        accepted = [each for each in found if each is not None]
    return _different(accepted, conditions)


def _mended(
    probe: Collection[dict[str, Any]],
    plain: Collection[dict[str, Any]],
    conditions: Sequence[Clause],
    document: Document,
) -> Document | None:
    """*document* changed one value at a time, as long as it breaks fewer rules by that, to break none."""
    stages = [stage for _, stage in repair_stages(conditions)]
    broken: float = float("inf")
    candidates = [document]
    for _ in range(_STEPS_TO_MEND):
        candidates += [each for each in repaired(plain, candidates, stages) if each is not None]
        answers = _answers(probe, candidates)
        best, answer = min(
            zip(candidates, answers, strict=True), key=lambda pair: 0 if pair[1].taken else _breaks(pair[1])
        )
        if answer.taken:
            return best
        if _breaks(answer) >= broken:
            return None
        broken = _breaks(answer)
        conditions_broken = [each for each in conditions if _is_broken(each, answer)]
        candidates = [
            changed
            for each in conditions_broken
            for changed, _ in islice(_changes(each, best), _CHANGES_TO_MEND)
            if _can_be_sent(changed)
        ]
        if not candidates:
            return None
    return None


def _breaks(answer: _Answer) -> int:
    return len(answer.reasons) or _MANY


def _is_broken(clause: Clause, answer: _Answer) -> bool:
    return any(
        each.operator == clause.operator and each.condition in (None, clause.condition)
        for each in answer.reasons
        if each.operator != "$jsonSchema"
    )


def _changes(clause: Clause, document: Document) -> Iterator[tuple[Document, Place]]:
    rule = Rule(0, clause.operator, next(iter(clause.condition.values())))
    return breaking(rule, clause, document, {})


def _made(conditions: Sequence[Clause]) -> Iterator[Document]:
    """Documents made from the schemas of the validator and from the values that its queries ask for."""
    asked = {each.path: _asked(each) for each in conditions if each.path and "." not in each.path}
    schemas = [each.condition["$jsonSchema"] for each in conditions if "$jsonSchema" in each.condition]
    for everything in (True, False):
        found: dict[str, Any] = {}
        for schema in schemas or [{}]:
            value = made({"bsonType": "object", **schema}, everything=everything)
            found |= value if isinstance(value, Mapping) else {}
        yield {**asked, **found}


def _asked(clause: Clause) -> Any:
    value = next(iter(clause.condition.values()))
    if isinstance(value, Mapping) and clause.operator.startswith("$"):
        value = next(iter(value.values()), None)
    return value[0] if isinstance(value, list) and value else value


def _different(documents: Sequence[Document], conditions: Sequence[Clause]) -> list[Document]:
    """A few of *documents*, each with a field, a type or a value of an enum that those before it have not."""
    told_apart = {
        tuple(step.name for step in rule.steps if step.name)
        for rule in rules({"$and": [each.condition for each in conditions]})
        if rule.keyword == "enum"
    }
    seen: set[Any] = set()
    found: list[Document] = []
    for document in documents:
        own: set[Any] = set()
        for place, value in places(document):
            path = tuple(step for step in place if isinstance(step, str))
            own.add((path, bson_type(value)))
            if path in told_apart and isinstance(value, str):
                own.add((path, value))
        if own - seen and len(found) < _BASES:
            seen |= own
            found.append(document)
    return found or list(documents[:1])


def _is_schema(clause: Clause) -> bool:
    return clause.operator == "$jsonSchema"


# The search


def _searched(
    probe: Collection[dict[str, Any]],
    plain: Collection[dict[str, Any]],
    conditions: Sequence[Clause],
    tried: Sequence[Rule],
    bases: Sequence[Document],
    deadline: float,
) -> list[_Search]:
    """For each rule the document that breaks it with the least besides, as the server sees it."""
    stages = repair_stages(conditions)
    schema: Mapping[str, Any] = next(
        (each.condition["$jsonSchema"] for each in conditions if _is_schema(each)), {}
    )
    found = [
        _Search(rule, conditions[rule.clause], _candidates(rule, conditions[rule.clause], bases, schema))
        for rule in tried
    ]
    for size in _CHUNKS:
        if time.monotonic() > deadline:
            break
        open_ones = [each for each in found if not each.settled]
        taken = [(each, list(islice(each.left, size))) for each in open_ones]
        for search, candidates in taken:
            search.exhausted = not candidates
        _weighed(probe, [(search, each) for search, candidates in taken for each in candidates])
        _weighed(probe, list(_repaired_candidates(plain, taken, stages)))
    return found


def _candidates(
    rule: Rule, clause: Clause, bases: Sequence[Document], schema: Mapping[str, Any]
) -> Iterator[_Candidate]:
    """What may break *rule*: the first of each base, then the second of each …

    The bases that the rule is about come first, those of another branch after them.
    """
    about = [base for base in bases if rule.schema is None or is_about(schema, rule.location, base)]
    others = [base for base in bases if not any(base is each for each in about)]
    for group in (about, others):
        streams = [_from_base(rule, clause, base, schema) for base in group]
        while streams:
            for stream in list(streams):
                found = next(stream, None)
                if found is None:
                    streams.remove(stream)
                else:
                    yield found


def _from_base(rule: Rule, clause: Clause, base: Document, schema: Mapping[str, Any]) -> Iterator[_Candidate]:
    for document, place in breaking(rule, clause, base, schema):
        if _can_be_sent(document):
            yield _Candidate(base, document, place)


def _can_be_sent(document: Document) -> bool:
    try:
        return isinstance(document, Mapping) and bool(bson.encode(document, codec_options=_CODEC))
    except (BSONError, OverflowError, TypeError, ValueError, ArithmeticError):
        return False


_CODEC: bson.CodecOptions[Mapping[str, Any]] = bson.CodecOptions(
    uuid_representation=bson.binary.UuidRepresentation.STANDARD, tz_aware=True
)


def _repaired_candidates(
    plain: Collection[dict[str, Any]],
    taken: Sequence[tuple[_Search, list[_Candidate]]],
    stages: Sequence[tuple[int, dict[str, Any]]],
) -> Iterator[tuple[_Search, _Candidate]]:
    """The candidates of the rules still open, with all put right that other rules compute.

    One whose own change was undone by that is left out.
    """
    for search, candidates in taken:
        others = [stage for at, stage in stages if at != search.rule.clause]
        if search.settled or not others:
            continue
        documents = [each.document for each in candidates]
        for candidate, document in zip(candidates, repaired(plain, documents, others), strict=True):
            if document is None or document == candidate.document or not _can_be_sent(document):
                continue
            if _same(value_at(document, candidate.place), value_at(candidate.document, candidate.place)):
                yield search, _Candidate(candidate.base, document, candidate.place, was_repaired=True)


def _same(first: Any, second: Any) -> bool:
    if first is MISSING or second is MISSING:
        return first is second
    return bool(first == second) and bson_type(first) == bson_type(second)


def _weighed(probe: Collection[dict[str, Any]], candidates: Sequence[tuple[_Search, _Candidate]]) -> None:
    """Let the server say what each candidate breaks, and keep for each rule the one that breaks least."""
    answers = _answers(probe, [each.document for _, each in candidates])
    for (search, candidate), answer in zip(candidates, answers, strict=True):
        search.tried += 1
        if answer.taken:
            if _is_broken_for_sure(search.rule) and not candidate.was_repaired:
                search.taken = search.taken or candidate
            continue
        if answer.code != VALIDATION_FAILURE:
            search.refusals.append(answer.message)
            continue
        named = naming(search.rule, search.clause, answer.reasons)
        if named.named and (search.best is None or len(named.others) < len(search.best[1].others)):
            search.best = (candidate, named)
        elif not named.named:
            search.refusals.append(", ".join(map(_reason_text, answer.reasons)))


def _is_broken_for_sure(rule: Rule) -> bool:
    """Whether the candidates of *rule* break it by what they are: not in a branch that need not hold."""
    branched = {"anyOf", "oneOf"} & {step for step in rule.location[:-1] if isinstance(step, str)}
    return rule.schema is not None and rule.keyword in CERTAIN and not branched


# The attempts


def _attempts(
    collection: str, copy: Collection[dict[str, Any]], found: Sequence[_Search], says: Says
) -> list[ValidatorAttempt]:
    """The documents that were found, put into the copy of the collection as it is declared."""
    chosen = [search.chosen for search in found]
    answers = iter(_answers(copy, [each.document for each in chosen if each]))
    why_taken = _why_taken(copy)
    return [
        _attempt(collection, search, each, next(answers), why_taken, says)
        if each
        else _untried(collection, search.rule, _why_untried(search))
        for search, each in zip(found, chosen, strict=True)
    ]


def _attempt(
    collection: str, search: _Search, chosen: _Candidate, answer: _Answer, why_taken: str, says: Says
) -> ValidatorAttempt:
    rule = search.rule
    statement = _difference(chosen.base, chosen.document)
    if answer.taken:
        why = why_taken if search.best else "the server never applies this rule"
        return ValidatorAttempt(collection, rule.path, _rule_text(rule), statement, "accepted", None, why)
    named = naming(rule, search.clause, answer.reasons)
    if not named.named:
        said = ", ".join(map(_reason_text, answer.reasons)) or answer.message
        return _untried(collection, rule, f"what was tried is refused by another rule first: {_line(said)}")
    others = [each for each in named.others if not _is_the_same_clause(search.clause, each)]
    others += search.best[1].others if search.best else ()  # there each part of an $expr is told apart
    besides = ", ".join(dict.fromkeys(_in_words(each, says) for each in others))
    return ValidatorAttempt(
        collection,
        rule.path,
        _rule_text(rule),
        statement,
        "refused",
        answer.code,
        _line(f"broken along with it: {besides}") if besides else "",
        alone=not others,
    )


def _named(attempt: ValidatorAttempt, rule: Rule, says: Says) -> ValidatorAttempt:
    """*attempt* with its ``$expr`` in words, where *says* has them."""
    words = _words_of(rule.argument, says) if rule.keyword == "$expr" else ""
    return replace(attempt, rule=f"$expr: {words}") if words else attempt


def _words_of(expression: Any, says: Says) -> str:
    """What *says* has for *expression*, or for all that it joins; nothing where it has none."""
    parts = conjuncts(expression)
    known = [(words, conjuncts(_as_read({"": said})[""])) for words, said in says]
    return "; ".join(words for words, said in known if any(part in said for part in parts))


def _in_words(reason: Reason, says: Says) -> str:
    if reason.condition is not None and not reason.location and "$expr" in reason.condition:
        words = _words_of(reason.condition["$expr"], says)
        if words:
            return f"$expr: {words}"
    return _reason_text(reason)


def _is_the_same_clause(clause: Clause, reason: Reason) -> bool:
    return clause.operator != "$jsonSchema" and reason.operator == clause.operator and not reason.location


def _untried(collection: str, rule: Rule, why: str) -> ValidatorAttempt:
    return ValidatorAttempt(collection, rule.path, _rule_text(rule), "", "not tried", None, why)


def _why_untried(search: _Search) -> str:
    if not search.rule.steps and search.rule.keyword in ("bsonType", "type"):
        return "a document is an object in any case"
    if search.rule.part == "_id" and not search.rule.steps:
        return "the server gives each document an _id"
    if not search.exhausted and search.tried < sum(_CHUNKS):
        return "the time limit was reached before a document was found that breaks it"
    if search.rule.argument == 0 and search.rule.keyword in ("minLength", "minItems", "minProperties"):
        return "it holds of any value"
    if not search.tried:
        return "no value is known that breaks it"
    if search.refusals:
        first = max(set(search.refusals), key=search.refusals.count)
        return _line(f"of {search.tried} documents none was refused for it: other rules do first ({first})")
    return f"none of {search.tried} documents breaks it: what it asks for holds of itself"


def _why_taken(copy: Collection[dict[str, Any]]) -> str:
    options = copy.options()
    if options.get("validationLevel") == "off":
        return "validationLevel is off: nothing is checked"
    if options.get("validationAction") == "warn":
        return "validationAction is warn: the server writes a line to its log and takes the document"
    if not options.get("validator"):
        return "the collection has no validator"
    return "the collection's validator has no such rule"


def _of_the_level(
    database: Database[dict[str, Any]],
    collection: str,
    copy: Collection[dict[str, Any]],
    attempts: Sequence[ValidatorAttempt],
    found: Sequence[_Search],
) -> list[ValidatorAttempt]:
    """With ``validationLevel: moderate``, the update of a document that was bad before, which is accepted."""
    bad = next((one.best[0] for one in found if one.best), None)
    if copy.options().get("validationLevel") != "moderate" or bad is None:
        return []
    copy.insert_one(dict(bad.document), bypass_document_validation=True)
    changed = copy.update_one({}, {"$set": {"_workbench": 1}}).modified_count
    copy.delete_many({})
    if not changed:
        return []
    why = "validationLevel is moderate: what is in the collection and breaks a rule may go on doing so"
    return [
        ValidatorAttempt(
            collection,
            "",
            "validationLevel",
            "an update of a document that broke a rule already",
            "accepted",
            None,
            why,
        )
    ]


# What is shown


def _rule_text(rule: Rule) -> str:
    if rule.part:
        where = f" (with {rule.location[-1]})" if rule.keyword == "dependencies" else ""
        return f"{rule.keyword} {rule.part}{where}"
    if rule.keyword in ("anyOf", "oneOf"):
        return f"{rule.keyword} of {len(rule.argument)}"
    return _line(f"{rule.keyword} {_shown(rule.argument)}")


def _reason_text(reason: Reason) -> str:
    if reason.condition is None or reason.location:
        return reason.text
    (name, value), *_ = reason.condition.items()
    return f"{name} {_shown(value)}"


def _difference(good: Document, bad: Document) -> str:
    """How *bad* differs from *good*, the first few fields of it."""
    found = list(islice(_differences(good, bad, ""), 5))
    return _line("; ".join(found[:4]) + ("; …" if len(found) > 4 else "")) or "the document as it is"


def _differences(good: Any, bad: Any, path: str) -> Iterator[str]:
    if isinstance(good, Mapping) and isinstance(bad, Mapping):
        for name in dict.fromkeys([*good, *bad]):
            below = f"{path}.{name}" if path else str(name)
            if name not in bad:
                yield f"without {below}"
            elif name not in good:
                yield f"{below}: {_shown(bad[name])}"
            else:
                yield from _differences(good[name], bad[name], below)
    elif isinstance(good, list) and isinstance(bad, list) and len(good) == len(bad):
        for index, (first, second) in enumerate(zip(good, bad, strict=True)):
            yield from _differences(first, second, f"{path}.{index}")
    elif isinstance(good, list) and isinstance(bad, list):
        yield f"{path}: {len(bad)} elements instead of {len(good)}"
    elif not _same(good, bad):
        kinds = (bson_type(good), bson_type(bad))
        suffix = f" ({kinds[1]})" if kinds[0] != kinds[1] else ""
        yield f"{path}: {_shown(good)} → {_shown(bad)}{suffix}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    text = repr(value) if isinstance(value, str) else text
    return text if len(text) <= 60 else text[:59] + "…"


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN * 2 else flat[: _SHOWN * 2 - 1] + "…"
