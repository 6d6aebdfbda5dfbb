"""Suggested validators on the real server: accepted by it, true of what they were inferred from, not more."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import bson
import pytest
from bson import Code, DBRef, Decimal128, Int64, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database
from pymongo.errors import WriteError

from workbench.catalog.shapes import Shape
from workbench.documents.shape import infer
from workbench.documents.source import scratch_source
from workbench.documents.validators import Strictness, count_failing, left_out, suggest_validator
from workbench.engines.mongo import Document, MongoServer
from workbench.engines.mongo_reading import ReadOnlyDatabase, reading_of
from workbench.errors import BadInput, SourceError

_STANDARD: CodecOptions[dict[str, Any]] = CodecOptions(uuid_representation=4)
STRICTNESSES: tuple[Strictness, ...] = ("types", "required", "closed")


def encoded(documents: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(bson.encode(each, codec_options=_STANDARD) for each in documents)


def shape_of(documents: Iterable[dict[str, Any]], **options: Any) -> Shape:
    return infer("things", [encoded(documents)], **options)


def accepts(mongo: Database[Document], validator: dict[str, Any], document: dict[str, Any]) -> bool:
    """Whether a collection with *validator* takes *document*."""
    mongo.drop_collection("tried")
    mongo.create_collection("tried", validator=validator)
    try:
        mongo["tried"].insert_one(dict(document))
    except WriteError as exc:
        assert exc.code == 121
        return False
    return True


class Batches:
    """Documents as a dump gives them."""

    database: ReadOnlyDatabase | None = None

    def __init__(self, *batches: bytes) -> None:
        self._batches = batches

    def batches(self, collection: str) -> Iterator[bytes]:
        yield from self._batches


_NAMES = ["a", "b", "type", "a.b", "x.y.z", "$set", "$ref", "", " ", "ü", "😀", '"<b>', "9", "_x", "n" * 2000]


def random_value(draw: random.Random, depth: int) -> Any:
    choice = draw.randrange(20 if depth < 5 else 16)
    if choice >= 18:
        return random_document(draw, depth + 1)
    if choice >= 16:
        return [random_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return [
        draw.randrange(100),
        Int64(draw.randrange(100)),
        draw.random(),
        float("nan"),
        Decimal128("1.10"),
        True,
        None,
        draw.choice(["red", "green"]),
        "",
        ObjectId(draw.randbytes(12)),
        bson.datetime_ms.DatetimeMS(2**60),
        draw.choice([b"bytes", UUID(int=draw.getrandbits(128)), bson.Binary(b"x", 128)]),
        draw.choice([Regex("a", 2), Timestamp(1, 2)]),
        draw.choice([bson.MinKey(), bson.MaxKey()]),
        draw.choice([Code("f()"), Code("f()", {"x": 1})]),
        DBRef("other", draw.randrange(9)),
    ][choice]


def random_document(draw: random.Random, depth: int = 0) -> dict[str, Any]:
    names = draw.sample(_NAMES, draw.randrange(len(_NAMES) - depth * 2))
    return {name: random_value(draw, depth) for name in names}


@pytest.mark.parametrize("strictness", STRICTNESSES)
@pytest.mark.parametrize("seed", range(6))
def test_what_it_was_inferred_from_passes(
    mongo: Database[Document], seed: int, strictness: Strictness
) -> None:
    """The server accepts the validator, and every document that it was inferred from, odd names and all."""
    draw = random.Random(seed)
    count = draw.choice([1, 30, 400])
    documents = [{"_id": number, **random_document(draw)} for number in range(count)]
    raw = [RawBSONDocument(encoded([each])) for each in documents]
    validator = suggest_validator(shape_of(documents), strictness=strictness)

    mongo.create_collection("things", validator=validator)
    mongo["things"].insert_many(raw)

    assert mongo["things"].count_documents({}) == len(documents)


ORDERS = [
    {
        "_id": number,
        "state": ["new", "paid", None][number % 3],
        "total": [Decimal128("1.5"), 7][number % 2],
        "lines": [{"sku": "a", "quantity": 1}] * (number % 3),
        **({"note": "x" * number} if number % 5 == 0 else {}),
    }
    for number in range(60)
]
GOOD = {"_id": 99, "state": "new", "total": Decimal128("2"), "lines": [{"sku": "b", "quantity": 3}]}


@pytest.mark.parametrize(
    ("changed", "refused_by"),
    [
        ({}, ()),
        ({"note": "optional"}, ()),
        ({"total": 1.5}, STRICTNESSES),
        ({"lines": [{"sku": 4, "quantity": 1}]}, STRICTNESSES),
        ({"lines": {"sku": "a", "quantity": 1}}, STRICTNESSES),
        ({"total": ...}, ("required", "closed")),
        ({"lines": [{"sku": "a"}]}, ("required", "closed")),
        ({"state": "lost"}, ("required", "closed")),
        ({"sate": "new"}, ("closed",)),
        ({"lines": [{"sku": "a", "quantity": 1, "colour": "red"}]}, ("closed",)),
    ],
)
def test_each_strictness_refuses_what_it_says(
    mongo: Database[Document], changed: dict[str, Any], refused_by: tuple[str, ...]
) -> None:
    """Each rule refuses a document that breaks it alone, at the strictness that has the rule."""
    document = {name: value for name, value in {**GOOD, **changed}.items() if value is not ...}
    shape = shape_of(ORDERS)

    refused = tuple(
        each
        for each in STRICTNESSES
        if not accepts(mongo, suggest_validator(shape, strictness=each), document)
    )

    assert refused == refused_by


def test_types_are_those_seen() -> None:
    """A field seen as int and as long allows both and no double; a UUID is binData."""
    schema = suggest_validator(shape_of([{"n": 1, "u": UUID(int=1)}, {"n": Int64(1), "u": b"x"}]))

    assert schema["$jsonSchema"]["properties"] == {
        "n": {"bsonType": ["int", "long"]},
        "u": {"bsonType": "binData"},
    }


def test_values_are_limited_where_all_were_seen() -> None:
    """A few strings that all documents have are an enumeration that says so; of a sample they are none."""
    documents = [{"state": ["new", "paid"][number % 2], "name": f"n{number}"} for number in range(600)]

    whole = suggest_validator(shape_of(documents))["$jsonSchema"]["properties"]
    sampled = suggest_validator(shape_of(documents, full=False, of=6_000))["$jsonSchema"]["properties"]
    partly = suggest_validator(shape_of(documents, sample=40))["$jsonSchema"]["properties"]

    assert whole["state"]["enum"] == ["new", "paid"]
    assert "all 600" in whole["state"]["description"]
    assert "enum" not in whole["name"]
    assert "enum" not in sampled["state"] and "enum" not in partly["state"]


def test_keys_that_are_data_are_described_once(mongo: Database[Document]) -> None:
    """An object keyed by dates takes further dates, and refuses another type under one."""
    documents = [
        {"_id": number, "by": {f"2024-{month:02}-{number % 27 + 1:02}": {"n": 1} for month in range(1, 6)}}
        for number in range(80)
    ]
    validator = suggest_validator(shape_of(documents), strictness="closed")

    assert "properties" not in validator["$jsonSchema"]["properties"]["by"]
    assert accepts(mongo, validator, {"_id": 1, "by": {"2031-01-01": {"n": 5}}})
    assert not accepts(mongo, validator, {"_id": 1, "by": {"2031-01-01": {"n": "x"}}})
    assert not accepts(mongo, validator, {"_id": 1, "by": {"2031-01-01": {"m": 5, "n": 1}}})


def test_names_with_dots_and_none_keep_their_types(mongo: Database[Document]) -> None:
    """A name with a dot, and the empty one, are held to their types; the server survives a failure."""
    shape = shape_of([{"_id": 1, "a.b": 1, "": 2, "$c": 3}] * 2)
    validator = suggest_validator(shape, strictness="closed")

    assert accepts(mongo, validator, {"a.b": 1, "": 2, "$c": 3, "_id": 5})
    for wrong in ({"a.b": "x"}, {"": "x"}, {"$c": "x"}, {"axb": 1}, {"a.b\n": 1}):
        assert not accepts(mongo, validator, {"_id": 6, "$c": 3, **wrong})
    assert [line.split(" is ")[0] for line in left_out(shape)] == ['["a.b"]', '[""]']


@pytest.mark.parametrize("levels", [40, 150])
def test_deep_documents(mongo: Database[Document], mongo_server: MongoServer, levels: int) -> None:
    """A validator of very deep documents is one that the server takes and can count with."""
    document: Any = {"x": 1}
    for _ in range(levels):
        document = {"a": document}
    validator = suggest_validator(shape_of([{"_id": 1, **document}]), strictness="closed")

    assert accepts(mongo, validator, {"_id": 1, **document})
    source = scratch_source(mongo, title="deep")
    assert count_failing(source, "tried", validator, mongo_server).failing == 0
    dump = Batches(encoded([{"_id": 1, **document}]))
    assert count_failing(dump, "tried", validator, mongo_server).failing == 0


def test_an_empty_collection(mongo: Database[Document]) -> None:
    """Of no documents the validator says next to nothing, and the server takes it."""
    shape = infer("empty", [])

    assert suggest_validator(shape) == {"$jsonSchema": {"bsonType": "object"}}
    assert accepts(mongo, suggest_validator(shape, strictness="closed"), {"_id": 1})


def test_an_unknown_strictness() -> None:
    """An unknown strictness is refused with the known ones."""
    with pytest.raises(BadInput, match="types, required, closed"):
        suggest_validator(infer("empty", []), strictness="exact")  # type: ignore[arg-type]


# counting


def _failing_documents() -> list[dict[str, Any]]:
    """A thousand, of which every hundredth lacks a number and one has a text in its place."""
    documents: list[dict[str, Any]] = [{"_id": number, "n": number, "t": "$n"} for number in range(1_000)]
    for number in range(0, 1_000, 100):
        del documents[number]["n"]
    documents[7]["n"] = "$a"
    return documents


VALIDATOR = {
    "$jsonSchema": {"required": ["n"], "properties": {"n": {"bsonType": "int"}, "t": {"bsonType": "string"}}}
}


def test_failing_documents_of_a_database(mongo: Database[Document], mongo_server: MongoServer) -> None:
    """A live database counts itself, exactly, and names a few."""
    mongo["things"].insert_many(_failing_documents())

    found = count_failing(scratch_source(mongo, title="t"), "things", VALIDATOR, None)

    assert (found.documents, found.failing, found.not_counted_because) == (1_000, 11, "")
    assert found.examples == (0, 7, 100, 200, 300)


def test_failing_documents_of_a_dump(mongo_server: MongoServer) -> None:
    """The documents of a dump are judged by the server in pieces, with the same result, and not stored."""
    documents = _failing_documents()
    batches = [encoded(documents[start : start + 300]) for start in range(0, 1_000, 300)]

    found = count_failing(Batches(*batches), "things", VALIDATOR, mongo_server)

    assert (found.documents, found.failing, found.examples) == (1_000, 11, (0, 7, 100, 200, 300))


def test_a_dump_with_an_id_twice_and_a_large_document(mongo_server: MongoServer) -> None:
    """Time series may repeat an _id; a document near 16 MB is judged too."""
    large = {"_id": 1, "n": "x", "t": "y" * (16 * 1024 * 1024 - 200)}

    found = count_failing(
        Batches(encoded([{"_id": 1}, {"_id": 1}]), encoded([large, {"_id": 2, "n": 1}])),
        "things",
        VALIDATOR,
        mongo_server,
    )

    assert (found.documents, found.failing, found.examples) == (4, 3, (1, 1, 1))


def test_documents_that_no_server_takes_are_not_counted(mongo_server: MongoServer) -> None:
    """Of a file whose documents are nested too deeply or too large to be sent, it says why none are."""
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"a": deep}
    text = bson.encode({"_id": 1, "text": "x" * ((16 << 20) + (16 << 10))})
    for document, reason in ((bson.encode(deep), "nested so deeply"), (text, "so large")):
        found = count_failing(Batches(document), "things", {"_id": 1}, mongo_server)
        assert (found.documents, found.failing) == (None, None)
        assert found.not_counted_because == f"the server takes no document {reason}"


def test_nothing_to_count(mongo: Database[Document], mongo_server: MongoServer) -> None:
    """An empty collection and an empty dump have no failing documents."""
    mongo.create_collection("things")

    live = count_failing(scratch_source(mongo, title="t"), "things", VALIDATOR, None)

    assert live == count_failing(Batches(), "things", VALIDATOR, mongo_server)
    assert (live.documents, live.failing, live.examples) == (0, 0, ())


def test_without_a_server_nothing_is_counted() -> None:
    """A dump without an engine says why there is no count, instead of a 0."""
    found = count_failing(Batches(encoded([{"a": 1}])), "things", VALIDATOR, None)

    assert (found.documents, found.failing) == (None, None)
    assert "no MongoDB" in found.not_counted_because


def test_a_validator_that_the_server_refuses(mongo: Database[Document], mongo_server: MongoServer) -> None:
    """A validator that is none is the caller's error, in one line, live and of a dump."""
    wrong = {"$jsonSchema": {"bsonType": "integer"}}
    mongo["things"].insert_one({"a": 1})

    with pytest.raises(SourceError, match="integer") as live:
        count_failing(scratch_source(mongo, title="t"), "things", wrong, None)
    with pytest.raises(BadInput, match="integer") as dump:
        count_failing(Batches(encoded([{"a": 1}])), "things", wrong, mongo_server)

    assert "\n" not in f"{live.value}{dump.value}"


def test_a_count_that_takes_too_long_is_none(mongo: Database[Document]) -> None:
    """A count beyond the time limit is not reported as a count."""
    mongo["things"].insert_many([{"_id": number, "many": 1_000_000} for number in range(40)])
    source = Batches()
    source.database = reading_of(mongo.client, mongo.name, timeout_s=0.2)
    slow = {"$expr": {"$in": [-1, {"$range": [0, "$many"]}]}}

    found = count_failing(source, "things", slow, None)

    assert (found.documents, found.failing) == (None, None)
    assert found.not_counted_because
