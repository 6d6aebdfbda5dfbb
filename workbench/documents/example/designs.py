"""The example's collections as they are designed, read from JSON, and put in force on a server.

Each file of sql/nosql/collections is one collection: options, `$jsonSchema`, rules (`$expr`, each with
what it says), indexes with the queries that they are for, concerns and shard key. It is extended JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import bson
from bson import json_util
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo import IndexModel
from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from workbench import sql
from workbench.catalog.collections import Operation
from workbench.errors import BadInput

COLLECTIONS = "nosql/collections"
VIEWS = "nosql/views"
PIPELINES = "nosql/pipelines"
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD, tz_aware=True
)
Granularity = Literal["seconds", "minutes", "hours"]
BUCKET_SPANS_S: Mapping[Granularity, int] = {"seconds": 3_600, "minutes": 86_400, "hours": 2_592_000}
FILLED_BUCKET = 100  # events; the server closes a bucket at 1,000

# UUIDs stay Binary, which commands send as they are: they do not know the codec of the client
AS_SENT: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
_JSON = json_util.JSONOptions(uuid_representation=UuidRepresentation.UNSPECIFIED, tz_aware=True)


@dataclass(frozen=True)
class Rule:
    """One statement about the fields of a document together: *expression* is true of a good one."""

    says: str
    expression: Mapping[str, Any]


@dataclass(frozen=True)
class DesignedQuery:
    """A query that an index is for. ``$$name`` in it is a parameter; *parameters* say where a value is found.

    A parameter is an aggregation {"collection", "pipeline"} of one document with the field ``value``.
    """

    says: str
    operation: Operation
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class DesignedIndex:
    """An index and why it is there; *options* as createIndexes takes them, without key and name."""

    name: str
    key: tuple[tuple[str, int | str], ...]
    options: Mapping[str, Any]
    queries: tuple[DesignedQuery, ...]

    @property
    def model(self) -> IndexModel:
        return IndexModel(list(self.key), name=self.name, **self.options)


@dataclass(frozen=True)
class CollectionDesign:
    """A collection as it is designed. *options* are those of the create command, validator included.

    *schema* and *rules* are what the validator is made of; a time series has none. No *shard_key* means
    that it should not be sharded; *shard_key_because* gives the reason of either.
    """

    name: str
    says: str
    options: Mapping[str, Any]
    schema: Mapping[str, Any] | None
    rules: tuple[Rule, ...]
    indexes: tuple[DesignedIndex, ...]
    write_concern: Mapping[str, Any]
    read_concern: Mapping[str, Any]
    shard_key: tuple[tuple[str, int | str], ...]
    shard_key_because: str

    @property
    def validator(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self.options.get("validator")
        return found

    def of(self, database: Database[Any]) -> MongoCollection[dict[str, Any]]:
        """The collection in *database* with the concerns that the design declares."""
        return database.get_collection(
            self.name,
            codec_options=CODEC,
            write_concern=WriteConcern(**self.write_concern),
            read_concern=ReadConcern(**self.read_concern),
        )


@dataclass(frozen=True)
class ViewDesign:
    """A view as it is designed."""

    name: str
    says: str
    view_on: str
    pipeline: tuple[Mapping[str, Any], ...]


def granularity(events_per_hour: float) -> Granularity:
    """How long a bucket of a time series should last where one meta value has *events_per_hour*.

    The finest at which a bucket fills with `FILLED_BUCKET` events before its time is over: finer ones
    leave buckets of few events, coarser ones make a search by time read more of them. It can later be
    made coarser, never finer. Source: MongoDB manual, Set Granularity for Time Series Data.
    """
    if events_per_hour < 0:
        raise BadInput(f"an event rate of {events_per_hour} an hour cannot be: give 0 or more")
    for name, span_s in BUCKET_SPANS_S.items():
        if events_per_hour * span_s / 3600 >= FILLED_BUCKET:
            return name
    return "hours"


@cache
def design() -> tuple[CollectionDesign, ...]:
    """The collections of the example, in the order of the files."""
    return tuple(_collection(file) for file in _files(COLLECTIONS))


def designed(name: str) -> CollectionDesign:
    """The design of the collection *name*. Raises BadInput."""
    for each in design():
        if each.name == name:
            return each
    raise BadInput(f"the example has no collection {name!r}: it has {', '.join(d.name for d in design())}")


@cache
def views() -> tuple[ViewDesign, ...]:
    """The views of the example."""
    return tuple(
        ViewDesign(found["name"], found["says"], found["viewOn"], tuple(found["pipeline"]))
        for found in map(extended_json, _files(VIEWS))
    )


@cache
def pipeline(name: str) -> tuple[str, list[Mapping[str, Any]]]:
    """The collection that the pipeline *name* of sql/nosql/pipelines starts from, and its stages."""
    found = extended_json(sql.path(f"{PIPELINES}/{name}.json"))
    return found["collection"], found["pipeline"]


def extended_json(file: Path) -> dict[str, Any]:
    """The content of an extended JSON file. Raises BadInput where it is none."""
    try:
        found: dict[str, Any] = json_util.loads(file.read_text(encoding="utf-8"), json_options=_JSON)
    except (ValueError, TypeError) as exc:
        raise BadInput(f"{file}: is not extended JSON: {exc}") from exc
    return found


def apply_design(database: Database[Any], *, events_per_hour_per_source: float | None = None) -> list[str]:
    """Bring *database* to the design; what was changed now, a line each, nothing if it was there.

    Collections, validators, expiry and indexes that are missing or differ are made or altered with
    collMod, never dropped. The granularity of a time series follows from the event rate, by default the
    design's; one that is there already is only made coarser. Raises BadInput where something of the
    same name is of another kind or an index has another key.
    """
    there = {each["name"]: each for each in database.list_collections()}
    changes: list[str] = []
    for each in design():
        options = _options(each, events_per_hour_per_source)
        if each.name not in there:
            database.create_collection(each.name, check_exists=False, **options)
            changes.append(f"created {each.name}")
        else:
            changes += _altered(database, each, options, there[each.name])
        changes += _indexed(database, each)
    for view in views():
        if view.name not in there:
            database.create_collection(view.name, viewOn=view.view_on, pipeline=list(view.pipeline))
            changes.append(f"created {view.name}")
        elif there[view.name]["type"] != "view":
            raise BadInput(f"{database.name}.{view.name} is no view: rename it or name another database")
        elif there[view.name]["options"]["pipeline"] != list(view.pipeline):
            database.command("collMod", view.name, viewOn=view.view_on, pipeline=list(view.pipeline))
            changes.append(f"altered {view.name}")
    return changes


def _files(folder: str) -> list[Path]:
    return sorted(sql.path(folder).glob("*.json"))


def _collection(file: Path) -> CollectionDesign:
    found = extended_json(file)
    name = file.stem.partition("_")[2]
    rules = tuple(Rule(each["says"], each["expr"]) for each in found.get("rules", ()))
    options = dict(found["options"])
    if "timeseries" in options:
        options["timeseries"] = {
            **options["timeseries"],
            "granularity": granularity(found["eventsPerHourPerSource"]),
        }
    if schema := found.get("schema"):
        options |= {
            "validator": {"$jsonSchema": schema, "$expr": {"$and": [rule.expression for rule in rules]}},
            "validationLevel": "strict",
            "validationAction": "error",
        }
    return CollectionDesign(
        name,
        found["says"],
        options,
        schema,
        rules,
        tuple(_index(name, each) for each in found["indexes"]),
        found["writeConcern"],
        found["readConcern"],
        tuple((found["shardKey"]["key"] or {}).items()),
        found["shardKey"]["because"],
    )


def _index(collection: str, found: Mapping[str, Any]) -> DesignedIndex:
    options = {name: value for name, value in found.items() if name not in ("name", "key", "queries")}
    return DesignedIndex(
        found["name"],
        tuple(found["key"].items()),
        options,
        tuple(_query(collection, each) for each in found["queries"]),
    )


def _query(collection: str, found: Mapping[str, Any]) -> DesignedQuery:
    operation = Operation(
        collection,
        found["kind"],
        filter=found.get("filter", {}),
        sort=tuple(found.get("sort", {}).items()),
        projection=found.get("projection"),
        limit=found.get("limit", 0),
        pipeline=tuple(found.get("pipeline", ())),
        per_hour=found["perHour"],
        origin="design",
    )
    return DesignedQuery(found["says"], operation, found.get("parameters", {}))


def _options(each: CollectionDesign, events_per_hour: float | None) -> dict[str, Any]:
    options = dict(each.options)
    if "timeseries" in options and events_per_hour is not None:
        options["timeseries"] = {**options["timeseries"], "granularity": granularity(events_per_hour)}
    return options


def _altered(
    database: Database[Any], each: CollectionDesign, options: Mapping[str, Any], there: Mapping[str, Any]
) -> Iterator[str]:
    """Alter what differs between *options* and a collection that is there."""
    kind = "timeseries" if "timeseries" in options else "collection"
    if there["type"] != kind:
        raise BadInput(
            f"{database.name}.{each.name} is there as a {there['type']}, the design has a {kind}: "
            "rename it or name another database"
        )
    found = dict(there["options"])
    if kind == "timeseries":
        differs = _time_series_differs(database, each, options, found)
    else:
        differs = {
            name: options[name]
            for name in ("validator", "validationLevel", "validationAction")
            if not _same(found.get(name), options.get(name))
        }
    if differs:
        database.command("collMod", each.name, **differs)
        yield f"altered {each.name}: {', '.join(differs)}"


def _time_series_differs(
    database: Database[Any], each: CollectionDesign, options: Mapping[str, Any], found: Mapping[str, Any]
) -> dict[str, Any]:
    wanted, has = options["timeseries"], found["timeseries"]
    for name in ("timeField", "metaField"):
        if has.get(name) != wanted[name]:
            raise BadInput(
                f"{database.name}.{each.name} has the {name} {has.get(name)!r}, the design {wanted[name]!r}: "
                "it cannot be changed, name another database"
            )
    order = list(BUCKET_SPANS_S)
    differs: dict[str, Any] = {}
    if "granularity" in has and order.index(wanted["granularity"]) > order.index(has["granularity"]):
        differs["timeseries"] = {"granularity": wanted["granularity"]}
    if found.get("expireAfterSeconds") != options["expireAfterSeconds"]:
        differs["expireAfterSeconds"] = options["expireAfterSeconds"]
    return differs


def _indexed(database: Database[Any], each: CollectionDesign) -> Iterator[str]:
    """Create the indexes that are missing; a changed expiry is altered."""
    there = {found["name"]: found for found in database[each.name].list_indexes()}
    for index in each.indexes:
        if (found := there.get(index.name)) is None:
            continue
        _require_same(index, found, f"{database.name}.{each.name}")
        wanted = index.options.get("expireAfterSeconds")
        if found.get("expireAfterSeconds") != wanted:
            changed = {"name": index.name, "expireAfterSeconds": wanted}
            database.command("collMod", each.name, index=changed)
            yield f"altered {each.name}.{index.name}: expireAfterSeconds"
    missing = [index for index in each.indexes if index.name not in there]
    if missing:
        names = ", ".join(index.name for index in missing)
        try:
            database[each.name].create_indexes([index.model for index in missing])
        except OperationFailure as exc:
            reason = exc.details["errmsg"] if exc.details else str(exc)
            raise BadInput(
                f"{database.name}.{each.name}: the indexes {names} cannot be made, drop or change what "
                f"stands against them: {reason}"
            ) from exc
        yield f"indexed {each.name}: {names}"


def _require_same(index: DesignedIndex, found: Mapping[str, Any], collection: str) -> None:
    """BadInput where an index of the same name is another one; the key of a text index is its weights."""
    words = "_fts" in found["key"]
    same = (
        sorted(found["weights"]) == sorted(path for path, _ in index.key)
        if words
        else tuple(found["key"].items()) == index.key
    )
    for option in ("unique", "partialFilterExpression"):
        same = same and found.get(option) == index.options.get(option)
    if not same or ("expireAfterSeconds" in found) > ("expireAfterSeconds" in index.options):
        raise BadInput(
            f"the index {index.name} of {collection} is another than the design's: drop it, then apply the "
            "design again"
        )


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same BSON, the order of fields included."""
    return bson.encode({"": one}, codec_options=CODEC) == bson.encode({"": other}, codec_options=CODEC)
