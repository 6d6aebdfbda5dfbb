"""Indexes tried on a copy: operations run before and after them, with values taken from the documents."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bson
from bson import CodecOptions
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection as Target
from pymongo.database import Database
from pymongo.errors import BulkWriteError, PyMongoError

from workbench.catalog.collections import Collection, CollectionIndex, Operation
from workbench.catalog.shapes import Shape
from workbench.documents.source import DocumentSource
from workbench.engines.mongo import Document, MongoServer
from workbench.errors import EngineError
from workbench.proof.explain_documents import ExecutionStats, execution_stats

MOST_DOCUMENTS = 200_000
MOST_BYTES = 200 << 20
RUNS = 3  # executions of each operation, with values of different documents
_INSERTED_AT_ONCE = 10_000
_CANDIDATES = 200  # documents that values are taken from
_GAIN = 10.0
_NEAR_ONE = 1.5  # documents read for each one returned
_SORTED_UNNOTICED = 100
_DECODED: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


@dataclass(frozen=True)
class Run:
    """One execution of an operation, with the same values before and after the index."""

    before: ExecutionStats
    after: ExecutionStats

    def helped(self, index: str) -> bool:
        """Whether the index was used, and reads next to nothing in vain or a tenth of before, unsorted."""
        reads = max(self.after.documents_examined, 0)
        fewer = (
            self.after.documents_per_returned <= _NEAR_ONE or reads * _GAIN <= self.before.documents_examined
        )
        sorts = self.after.in_memory_sort and reads > _SORTED_UNNOTICED
        return index in self.after.index_names and fewer and not sorts

    @property
    def gained(self) -> bool:
        """Whether it is better than before by what somebody would notice."""
        read_before = max(self.before.documents_examined, self.before.keys_examined)
        read_after = max(self.after.documents_examined, self.after.keys_examined, 1)
        spared_sort = self.before.in_memory_sort and not self.after.in_memory_sort
        return read_before >= _GAIN * read_after or (spared_sort and read_after <= read_before)


@dataclass
class Trial:
    """What came of an index. *failure* says why it could not be tried; else *runs* has its executions."""

    name: str
    documents: int
    whole: bool
    failure: str = ""
    index_bytes: int = 0
    runs: list[Run] = field(default_factory=list)

    @property
    def helps(self) -> bool:
        """Whether most executions were helped: with a frequent value, no index helps."""
        good = [run for run in self.runs if run.helped(self.name) and run.gained]
        return bool(self.runs) and 2 * len(good) > len(self.runs)

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "documents": self.documents,
            "whole_collection": self.whole,
            "executions": len(self.runs),
            "documents_examined_before": sum(run.before.documents_examined for run in self.runs),
            "documents_examined_after": sum(run.after.documents_examined for run in self.runs),
            "keys_examined_before": sum(run.before.keys_examined for run in self.runs),
            "keys_examined_after": sum(run.after.keys_examined for run in self.runs),
            "returned": sum(run.after.returned for run in self.runs),
            "sorted_in_memory_before": sum(run.before.in_memory_sort for run in self.runs),
            "sorted_in_memory_after": sum(run.after.in_memory_sort for run in self.runs),
            "elapsed_ms_before": sum(run.before.elapsed_ms for run in self.runs),
            "elapsed_ms_after": sum(run.after.elapsed_ms for run in self.runs),
            "index_bytes": self.index_bytes,
        }

    @property
    def summary(self) -> str:
        facts = self.facts
        of = "all" if self.whole else "a sample of"
        read = f"{facts['documents_examined_after']:,} instead of {facts['documents_examined_before']:,}"
        sorts = ", and sorted none in memory any more" if facts["sorted_in_memory_before"] else ""
        runs = f"{len(self.runs)} run{'' if len(self.runs) == 1 else 's'}"
        return (
            f"{runs} on {of} {self.documents:,} documents gave {facts['returned']:,} and read {read}{sorts}."
        )


@dataclass(frozen=True)
class Wanted:
    """An index to try. With *hidden*, it is there under its name already and only hidden."""

    name: str
    key: tuple[tuple[str, int], ...]
    collation: Mapping[str, Any] | None = None
    hidden: bool = False


def tried_indexes(
    source: DocumentSource,
    collection: Collection,
    shape: Shape,
    indexes: Mapping[str, Wanted],
    operations: Mapping[str, Sequence[Operation]],
    engine: MongoServer,
) -> dict[str, Trial]:
    """The *indexes* of *collection* tried with the *operations* that each is for, by the same keys.

    At most 200,000 documents and 200 MB of them are copied, at random where there are more. Raises
    SourceError where they cannot be read, EngineError.
    """
    with engine.scratch_database(label="indexes") as database:
        target = _copy_of(collection, database)
        documents, whole = _filled(source, collection, shape, target)
        for index in collection.indexes:
            _make_existing(target, index)
        candidates = _candidates(target)
        planned = {name: list(_planned(of, candidates)) for name, of in operations.items()}
        before = {name: [_explained(target, find) for find in finds] for name, finds in planned.items()}
        trials = {name: Trial(wanted.name, documents, whole) for name, wanted in indexes.items()}
        for name, wanted in indexes.items():
            _make(target, trials[name], wanted)
        sizes = _index_sizes(target)
        for name, trial in trials.items():
            if trial.failure:
                continue
            trial.index_bytes = sizes.get(trial.name, 0)
            after = [_explained(target, find) for find in planned[name]]
            trial.runs = [Run(old, new) for old, new in zip(before[name], after, strict=True)]
            if not trial.runs:
                trial.failure = "no document holds values that its operations could be run with"
        return trials


def _copy_of(collection: Collection, database: Database[Document]) -> Target[Document]:
    """An empty collection for the copy; the name is ours, as not every name suits the driver."""
    options: dict[str, Any] = {"collation": dict(collection.collation)} if collection.collation else {}
    return database.create_collection("copy", **options)


def _filled(
    source: DocumentSource, collection: Collection, shape: Shape, target: Target[Document]
) -> tuple[int, bool]:
    """Copy the documents; how many there are now, and whether those are all."""
    total = shape.of or collection.documents or shape.documents
    mean = max(shape.sizes.mean, 1.0)
    most = min(MOST_DOCUMENTS, max(int(MOST_BYTES / mean), 1))
    whole = total <= most
    raw = target.with_options(codec_options=_RAW)
    copied = 0
    documents = _documents(source.batches(collection.name, sample=None if whole else most))
    for part in _parts(itertools.islice(documents, most), _INSERTED_AT_ONCE):
        try:
            raw.insert_many(part, ordered=False)
            copied += len(part)
        except BulkWriteError as exc:
            copied += exc.details["nInserted"]
        except PyMongoError as exc:
            raise EngineError(
                f"the documents of {collection.name} could not be copied: {_line(exc)}"
            ) from exc
    return copied, whole


def _documents(batches: Iterator[bytes]) -> Iterator[RawBSONDocument]:
    for batch in batches:
        yield from bson.decode_all(batch, _RAW)


def _parts(documents: Iterator[RawBSONDocument], size: int) -> Iterator[list[RawBSONDocument]]:
    while part := list(itertools.islice(documents, size)):
        yield part


def _make_existing(target: Target[Document], index: CollectionIndex) -> None:
    """An index that is there already; nothing expires in the copy, and nothing is refused by it."""
    if index.name == "_id_":
        return
    options: dict[str, Any] = {**index.options, "name": index.name, "sparse": index.sparse}
    options.pop("clustered", None)
    if index.partial_filter:
        options["partialFilterExpression"] = dict(index.partial_filter)
        options.pop("sparse")
    if index.collation:
        options["collation"] = dict(index.collation)
    if index.hidden:
        options["hidden"] = True
    try:
        target.create_index(list(index.key), **options)
    except PyMongoError as exc:
        raise EngineError(f"its index {index.name} could not be made again: {_line(exc)}") from exc


def _make(target: Target[Document], trial: Trial, wanted: Wanted) -> None:
    options: dict[str, Any] = {"collation": dict(wanted.collation)} if wanted.collation else {}
    try:
        if wanted.hidden:
            target.database.command("collMod", target.name, index={"name": wanted.name, "hidden": False})
        else:
            target.create_index(list(wanted.key), name=wanted.name, **options)
    except PyMongoError as exc:
        trial.failure = f"the index could not be made: {_line(exc)}"


def _index_sizes(target: Target[Document]) -> dict[str, int]:
    stats = next(iter(target.aggregate([{"$collStats": {"storageStats": {}}}])))
    sizes: dict[str, int] = stats["storageStats"]["indexSizes"]
    return sizes


def _candidates(target: Target[Document]) -> list[dict[str, Any]]:
    """Random documents to take values from; one that is no valid BSON is passed over."""
    found = []
    for raw in target.with_options(codec_options=_RAW).aggregate([{"$sample": {"size": _CANDIDATES}}]):
        try:
            found.append(bson.decode(raw.raw, _DECODED))
        except BSONError:
            continue
    return found


def _planned(
    operations: Sequence[Operation], candidates: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Each operation as finds with values in place, up to `RUNS` of different documents each."""
    for operation in operations:
        filled = (with_values(operation.filter, document, candidates) for document in candidates)
        different = {repr(query): query for query in filled if query is not None}
        for query in itertools.islice(different.values(), RUNS):
            find: dict[str, Any] = {"find": "copy", "filter": query}
            if operation.sort:
                find["sort"] = dict(operation.sort)
            if operation.limit:
                find["limit"] = operation.limit
            if operation.collation:
                find["collation"] = dict(operation.collation)
            yield find


def _explained(target: Target[Document], find: Mapping[str, Any]) -> ExecutionStats:
    try:
        return execution_stats(
            target.database.command(
                {"explain": dict(find), "verbosity": "executionStats", "maxTimeMS": 60_000}
            )
        )
    except PyMongoError as exc:
        raise EngineError(f"an operation could not be run: {_line(exc)}") from exc


def _line(exc: Exception) -> str:
    said = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
    return said.partition(", full error")[0]


def with_values(
    query: Mapping[str, Any], document: Mapping[str, Any], others: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """*query* with the values of *document* where it has the name of a type; None where it lacks one.

    The further values of an ``$in`` come from *others*. A range begins or ends at the document's value;
    with two sides it is as narrow as a fiftieth of the values of *others*.
    """
    try:
        return _filled_query(query, [document], others)
    except LookupError:
        return None


def _filled_query(
    query: Mapping[str, Any], within: Sequence[Any], others: Sequence[Mapping[str, Any]], path: str = ""
) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    for name, value in query.items():
        if name in ("$and", "$or", "$nor") and isinstance(value, list):
            filled[name] = [_filled_query(each, within, others, path) for each in value]
        elif name.startswith("$"):
            filled[name] = value
        else:
            filled[name] = _filled_value(value, _values(within, name.split(".")), f"{path}{name}", others)
    return filled


def _filled_value(value: Any, found: list[Any], path: str, others: Sequence[Mapping[str, Any]]) -> Any:
    if isinstance(value, Mapping) and next(iter(value), "").startswith("$"):
        return _filled_operators(value, found, path, others)
    return _first(found) if _left_out(value) else value


def _filled_operators(
    operators: Mapping[str, Any], found: list[Any], path: str, others: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    sides = [name for name in ("$gt", "$gte", "$lt", "$lte") if name in operators]
    for name, value in operators.items():
        if name in ("$in", "$nin", "$all") and isinstance(value, list) and any(map(_left_out, value)):
            filled[name] = _list(name, value, found, path, others)
        elif name == "$elemMatch" and isinstance(value, Mapping):
            if next(iter(value), "").startswith("$"):
                filled[name] = _filled_operators(value, found, path, others)
            else:
                element = [each for each in found if isinstance(each, Mapping)][:1]
                filled[name] = _filled_query(value, element, others, f"{path}.")
        elif name == "$not" and isinstance(value, Mapping):
            filled[name] = _filled_operators(value, found, path, others)
        elif name == "$regex" and value in ("<text>", "^<text>"):
            filled[name] = _expression(value, found)
        elif name in sides and _left_out(value):
            filled[name] = _bound(name, len(sides) > 1, found, path, others)
        else:
            filled[name] = _first(found) if _left_out(value) else value
    return filled


def _list(
    name: str, kinds: Sequence[Any], found: list[Any], path: str, others: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Values for a list: the document's and, for a longer ``$in``, those of some others."""
    if name == "$all":
        return [_first(found)]
    last = kinds[-1]
    wanted = len(kinds)
    if isinstance(last, str) and last.startswith("… "):
        wanted = max(int(last.split()[-1]) // 2, 2)
    values = [_first(found)]
    for other in others:
        if len(values) >= wanted:
            break
        values += [each for each in _values([other], path.split("."))[:1] if each not in values]
    return values


def _bound(
    operator: str, narrow: bool, found: list[Any], path: str, others: Sequence[Mapping[str, Any]]
) -> Any:
    """A bound of a range: the document's value; the upper one of a narrow range some values further on."""
    value = _first(found)
    if not narrow or operator in ("$gt", "$gte"):
        return value
    kind = type(value)
    later = sorted(
        each
        for other in others
        for each in _values([other], path.split("."))[:1]
        if type(each) is kind and kind is not dict and each > value
    )
    return later[min(len(others) // 50, len(later) - 1)] if later else value


def _expression(shape: str, found: list[Any]) -> str:
    text = _first([each for each in found if isinstance(each, str) and each])
    escaped = "".join(letter if letter.isalnum() or letter == " " else "\\" + letter for letter in text[:12])
    return f"^{escaped}" if shape.startswith("^") else escaped


def _left_out(value: Any) -> bool:
    """Whether *value* stands for one of its type, as the profiler's operations have it."""
    return isinstance(value, str) and len(value) > 2 and value[0] == "<" and value[-1] == ">"


def _first(found: Sequence[Any]) -> Any:
    """The first value that is one, no list and not null. Raises LookupError where there is none."""
    for each in found:
        if each is not None and not isinstance(each, list):
            return each
    raise LookupError("no value")


def _values(within: Sequence[Any], path: Sequence[str]) -> list[Any]:
    """The values at *path*, through arrays, those of an array one by one."""
    if not path:
        return [each for part in within for each in (part if isinstance(part, list) else [part])]
    below: list[Any] = []
    for part in within:
        for each in part if isinstance(part, list) else [part]:
            if isinstance(each, Mapping) and path[0] in each:
                below.append(each[path[0]])
    return _values(below, path[1:]) if below else []
