"""The shape of documents: counts against an independent count, odd documents, keys that are data, limits."""

from __future__ import annotations

import gc
import json
import random
import struct
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import bson
import pytest
from bson import Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions

from workbench.catalog.shapes import Node, Shape
from workbench.documents.shape import CorruptDocument, infer, shape_as_dict
from workbench.errors import BadInput

_STANDARD: CodecOptions[dict[str, Any]] = CodecOptions(uuid_representation=4)
_ALIASES = {
    1: "double",
    2: "string",
    3: "object",
    4: "array",
    7: "objectId",
    8: "bool",
    9: "date",
    10: "null",
    11: "regex",
    16: "int",
    17: "timestamp",
    18: "long",
    19: "decimal",
    127: "maxKey",
    255: "minKey",
}
Counts = Counter[tuple[tuple[str, ...], str]]


def encoded(documents: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(bson.encode(each, codec_options=_STANDARD) for each in documents)


def shape_of(documents: Iterable[dict[str, Any]], **options: Any) -> Shape:
    return infer("things", [encoded(documents)], **options)


def counted(shape: Shape) -> Counts:
    return Counter(
        {(path, kind): times for path, node in shape.walk() for kind, times in node.types.items() if times}
    )


def naive_counts(data: bytes) -> Counts:
    """An independent count that reads the bytes itself, an element at a time; bsonspec.org."""
    counts: Counts = Counter()

    def read(at: int, path: tuple[str, ...], in_array: bool) -> int:
        end = at + struct.unpack_from("<i", data, at)[0]
        at += 4
        while at < end - 1:
            kind = data[at]
            zero = data.index(0, at + 1)
            here = (*path, "[]" if in_array else data[at + 1 : zero].decode())
            at = zero + 1
            alias = _ALIASES.get(kind, "")
            if kind == 5:
                length, subtype = struct.unpack_from("<iB", data, at)
                alias = "uuid" if subtype == 4 else "binData"
                at += 5 + length
            elif kind in (2, 13):
                at += 4 + struct.unpack_from("<i", data, at)[0]
                alias = "javascript" if kind == 13 else alias
            elif kind in (3, 4):
                at = read(at, here, kind == 4)
            elif kind == 11:
                at = data.index(0, data.index(0, at) + 1) + 1
            elif kind == 15:
                at += struct.unpack_from("<i", data, at)[0]
                alias = "javascriptWithScope"
            else:
                at += {1: 8, 7: 12, 8: 1, 9: 8, 16: 4, 17: 8, 18: 8, 19: 16}.get(kind, 0)
            counts[(here, alias)] += 1
        return end

    at = 0
    while at < len(data):
        at = read(at, (), False)
    return counts


_NAMES = ["a", "b", "c", "type", "a.b", "$set", "", " ", "ü", "😀", '"', "x" * 300, "9"]


def random_value(draw: random.Random, depth: int) -> Any:
    choice = draw.randrange(22 if depth < 5 else 18)
    if choice >= 20:
        return random_document(draw, depth + 1)
    if choice >= 18:
        return [random_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return [
        draw.randrange(100),
        Int64(draw.randrange(100)),
        draw.random(),
        float("nan"),
        Decimal128("1.10"),
        Decimal128("NaN"),
        True,
        None,
        "text",
        "",
        ObjectId(draw.randbytes(12)),
        datetime(2024, 1, 2, tzinfo=UTC),
        bson.datetime_ms.DatetimeMS(2**60),
        draw.choice([b"bytes", UUID(int=draw.getrandbits(128)), bson.Binary(b"x", 128)]),
        draw.choice([Regex("a", 2), Timestamp(1, 2)]),
        draw.choice([MinKey(), MaxKey()]),
        draw.choice([Code("f()"), Code("f()", {"x": 1})]),
        DBRef("other", draw.randrange(9)),
    ][choice]


def random_document(draw: random.Random, depth: int = 0) -> dict[str, Any]:
    names = draw.sample(_NAMES, draw.randrange(len(_NAMES) - depth * 2))
    return {name: random_value(draw, depth) for name in names}


@pytest.mark.parametrize("seed", range(12))
def test_counts_are_those_of_an_independent_reader(seed: int) -> None:
    """Every path and type of random documents is counted exactly, whatever the chunks and batches."""
    draw = random.Random(seed)
    documents = [random_document(draw) for _ in range(draw.choice([1, 40, 1500]))]
    data = [encoded(documents[start : start + 400]) for start in range(0, len(documents), 400)]

    shape = infer("things", data, sample=draw.choice([3, 2048]))

    assert counted(shape) == naive_counts(b"".join(data))
    assert shape.documents == len(documents)
    assert shape.size_bytes == sum(map(len, data))
    assert shape.paths == len([path for path, _ in shape.walk() if path[-1] != "[]"])


def test_every_count_adds_up() -> None:
    """Types add up to the count; a field's parents are the objects, an element's the arrays it can be in."""
    draw = random.Random(99)
    shape = shape_of([random_document(draw) for _ in range(800)])

    def check(node: Node, objects: int) -> None:
        for child in node.children:
            assert sum(child.types.values()) == child.count > 0
            if child.kind == "element":
                assert child.parents == node.types["array"] == (node.lengths and node.lengths.count)
            else:
                assert child.parents == objects and child.count <= objects
            check(child, child.types.get("object", 0))

    check(shape.root, 800)


def test_rare_fields_are_counted_to_the_document() -> None:
    """A field in 0.05 % of the documents, and one in a single document, are there with their counts."""
    documents = [{"_id": number, "common": 1} for number in range(20_000)]
    for number in range(0, 20_000, 2_000):
        documents[number]["rare"] = "seldom"
    documents[12_345]["once"] = {"deep": [Int64(1)]}

    shape = shape_of(documents, of=20_000)

    rare = shape.node("rare")
    assert (rare.count, rare.parents, rare.share) == (10, 20_000, 0.0005)
    assert shape.node("once", "deep", "[]").types == {"long": 1}
    assert rare.sampled > 0 and rare.values == ("seldom",)


def test_uniform_documents_change_their_types_midway() -> None:
    """Documents with the same names throughout are counted by type all the same."""
    shape = shape_of([{"a": 1, "b": {"c": 2}}] * 900 + [{"a": "x", "b": [{"c": None}]}] * 700)

    assert counted(shape) == {
        (("a",), "int"): 900,
        (("a",), "string"): 700,
        (("b",), "object"): 900,
        (("b",), "array"): 700,
        (("b", "c"), "int"): 900,
        (("b", "[]"), "object"): 700,
        (("b", "[]", "c"), "null"): 700,
    }


def test_array_lengths_are_exact_in_count_extremes_and_mean() -> None:
    """Of 10,000 arrays the shortest, the longest and the mean are exact; the median is of a sample."""
    lengths = [number % 11 for number in range(10_000)] + [5_000]

    found = shape_of([{"tags": [1] * length} for length in lengths]).node("tags").lengths

    assert found is not None
    assert (found.count, found.minimum, found.maximum) == (10_001, 0, 5_000)
    assert found.mean == sum(lengths) / len(lengths)
    assert 4 <= found.median <= 6


@pytest.mark.parametrize("depth", [180, 200, 400])
def test_deep_documents_are_read(depth: int) -> None:
    """Documents as deep as the server stores, and deeper ones of a file, are read to the bottom."""
    document: Any = {"x": 1}
    for level in range(depth):
        document = {"a": [document]} if level % 2 else {"a": document}
    data = _nested(depth) if depth > 200 else encoded([document])

    shape = infer("deep", [data])

    assert counted(shape).total() == naive_counts(data).total()
    assert json.dumps(shape_as_dict(shape))


def _nested(depth: int) -> bytes:
    data = bson.encode({"x": 1})
    for _ in range(depth):
        data = struct.pack("<i", len(data) + 8) + b"\x03a\0" + data + b"\0"
    return data


def test_what_is_nested_beyond_all_bounds_is_refused_in_one_line() -> None:
    """100,000 levels raise an error that names the collection and the place, not a RecursionError."""
    with pytest.raises(CorruptDocument, match=r"'deep': document 2 at byte 12 .*nested deeper") as caught:
        infer("deep", [encoded([{"x": 1}]), _nested(100_000)])

    assert "\n" not in str(caught.value)


def test_odd_names_and_values() -> None:
    """Names with dots, dollars or none, of 10 MB, and NaN are fields like any other."""
    long = "n" * 10_000_000
    shape = shape_of([{"a.b": 1, "$c": 2, "": float("nan"), long: "x", "a": {"b": True}}] * 2)

    assert {path: dict(node.types) for path, node in shape.walk()} == {
        ("a.b",): {"int": 2},
        ("$c",): {"int": 2},
        ("",): {"double": 2},
        (long,): {"string": 2},
        ("a",): {"object": 2},
        ("a", "b"): {"bool": 2},
    }
    assert shape.node("").distinct_in_sample == 1


def test_nothing_to_read() -> None:
    """An empty collection has a shape: no documents and no fields."""
    shape = infer("empty", [], of=0)

    assert (shape.documents, shape.size_bytes, shape.paths, shape.sizes.count) == (0, 0, 0, 0)
    assert shape_as_dict(shape)["fields"] == []


def test_documents_without_fields_are_documents() -> None:
    """Empty documents, empty objects and empty arrays count."""
    shape = shape_of([{}, {}, {"a": {}, "b": []}])

    assert counted(shape) == {(("a",), "object"): 1, (("b",), "array"): 1}
    assert shape.documents == 3


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda good: good + b"\x01\x02", "only 2 bytes are left"),
        (
            lambda good: good + struct.pack("<i", 99) + b"\0\0",
            "says that it is 99 bytes long, and 6 are left",
        ),
        (lambda good: good + struct.pack("<i", 0) + b"\0\0", "says that it is 0 bytes long"),
        (lambda good: good + struct.pack("<i", -7) + b"\0\0", "says that it is -7 bytes long"),
        (lambda good: good + struct.pack("<i", 8) + b"\x99a\0\0", "unknown BSON type"),
    ],
)
def test_corrupt_bson_says_where(damage: Any, says: str) -> None:
    """What is wrong with the third document is said with the collection, its number and its place."""
    good = encoded([{"a": 1}, {"a": 2}])

    with pytest.raises(CorruptDocument, match=says) as caught:
        infer("things", [damage(good)])

    assert isinstance(caught.value, BadInput)
    assert (caught.value.collection, caught.value.number, caught.value.offset) == ("things", 3, 24)


@pytest.mark.parametrize("together", [1, 7])
def test_small_batches_are_counted_as_large_ones(together: int) -> None:
    """Batches of a document each, or a few, give the shape that one batch of all of them gives."""
    draw = random.Random(11)
    documents = [random_document(draw) for _ in range(500)]
    batches = [encoded(documents[at : at + together]) for at in range(0, 500, together)]

    shape = infer("things", [*batches, b""])

    assert repr(shape) == repr(shape_of(documents))
    assert counted(shape) == naive_counts(encoded(documents))


def test_damage_in_a_later_batch_is_placed_in_the_whole() -> None:
    """A document that a small batch cuts off is not continued with the next batch."""
    good = encoded([{"a": 1}])

    with pytest.raises(CorruptDocument, match="says that it is 12 bytes long, and 7 are left") as caught:
        infer("things", [good, good, good[:7], good])

    assert (caught.value.number, caught.value.offset) == (3, 24)


def test_text_that_is_not_utf8_is_read() -> None:
    """A string with bytes that are no UTF-8 counts as a string."""
    data = struct.pack("<i", 15) + b"\x02a\0\x03\0\0\0\xff\xfe\0" + b"\0"

    assert infer("things", [data]).node("a").types == {"string": 1}


def test_a_uuid_of_a_wrong_length_is_binary() -> None:
    """A binary value that calls itself a UUID and is too short does not stop the reading."""
    data = struct.pack("<i", 18) + b"\x05a\0\x05\0\0\0\x0412345" + b"\0"

    assert infer("things", [encoded([{"a": 1}]), data]).node("a").types == {"int": 1, "binData": 1}


def test_a_name_twice_counts_once() -> None:
    """Of a name that a document holds twice, the last value counts."""
    data = struct.pack("<i", 19) + b"\x10a\0\x01\0\0\0" + b"\x0aa\0" + b"\x0aa\0" + b"\0"
    data = struct.pack("<i", len(data)) + data[4:]

    assert infer("things", [data]).node("a").types == {"null": 1}


# keys that are data


def _by_key(keys: Iterable[str], each: int = 3) -> Iterator[dict[str, Any]]:
    keys = list(keys)
    draw = random.Random(5)
    for number in range(2_000):
        yield {
            "_id": number,
            "scores": {key: {"points": number, "at": "2024-01-02"} for key in draw.sample(keys, each)},
        }


@pytest.mark.parametrize(
    "keys",
    [
        [f"2024-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)],
        [f"{number:024x}" for number in range(700)],
        [str(UUID(int=number)) for number in range(700)],
        [str(number) for number in range(40)],
        [f"user{number}@example.com" for number in range(60)],
        [f"player_{number}" for number in range(1_500)],
    ],
    ids=["dates", "ids", "uuids", "numbers", "addresses", "numbered"],
)
def test_keys_that_are_data_are_one_node_with_exact_counts(keys: list[str]) -> None:
    """An object keyed by dates, ids or numbers is one node of kind key; what is below is merged exactly."""
    documents = list(_by_key(keys))
    seen = {name for document in documents for name in document["scores"]}

    shape = shape_of(documents)

    (key,) = shape.node("scores").children
    assert (key.kind, key.count, key.parents, key.keys) == ("key", 6_000, 2_000, len(seen))
    assert shape.node("scores", "*", "points").types == {"int": 6_000}
    assert shape.node("scores", "*", "at").formats["iso date"] > 0
    assert shape.paths == 5
    assert not shape.limit_reached


def test_names_that_keep_coming_are_data() -> None:
    """Names of words that nearly all occur once are keys that are data."""
    draw = random.Random(8)
    words = ["".join(draw.choices("abcdefghij", k=9)) for _ in range(3_000)]

    shape = shape_of([{"tally": {draw.choice(words) + draw.choice("xyz"): 1}} for _ in range(3_000)])

    assert [child.kind for child in shape.node("tally").children] == ["key"]


def test_fixed_fields_beside_keys_that_are_data_stay() -> None:
    """A total beside amounts by month stays a field of its own."""
    months = [f"20{year}-{month:02}" for year in range(10, 24) for month in range(1, 13)]
    shape = shape_of(
        {"by": {"total": 3, **dict.fromkeys(months[at % 150 : at % 150 + 5], 2.5)}} for at in range(900)
    )

    assert {(child.name, child.kind, child.count) for child in shape.node("by").children} == {
        ("total", "field", 900),
        ("*", "key", 4_500),
    }


def test_a_field_between_keys_that_are_data_is_found_late() -> None:
    """Of ids by the thousand, a field that comes in a single late document is a field all the same."""
    draw = random.Random(12)
    documents = [{"by": {f"{draw.getrandbits(96):024x}": 1 for _ in range(5)}} for _ in range(3_000)]
    documents[2_900]["by"]["total"] = 5

    shape = shape_of(documents)

    assert {(child.name, child.kind, child.count) for child in shape.node("by").children} == {
        ("total", "field", 1),
        ("*", "key", 15_000),
    }


def test_ten_thousand_optional_fields_of_one_object_are_exact() -> None:
    """Near miss: 9,990 optional fields of one nested object, whose names are words, all stay fields."""
    draw = random.Random(13)
    names = [f"{a}{b}{c}x" for a in "abcdefghij" for b in "abcdefghij" for c in map(chr, range(97, 197))][
        :9_990
    ]
    documents = [
        {"more": dict.fromkeys([*names[10 * at % 9_990 :][:10], *draw.sample(names, 20)], 1)}
        for at in range(4_000)
    ]

    shape = shape_of(documents)

    assert shape.paths == 9_991 and not shape.limit_reached
    assert counted(shape) == naive_counts(encoded(documents))


def test_three_hundred_optional_fields_are_not_data() -> None:
    """Near miss: a wide document of 300 optional fields keeps them all, at the top and nested."""
    draw = random.Random(3)
    names = [f"{word}_{number}" for number in range(100) for word in ("price", "note", "flag")]
    documents = [
        {
            "_id": at,
            **dict.fromkeys(draw.sample(names, 20), 1),
            "more": dict.fromkeys(draw.sample(names, 9), 1),
        }
        for at in range(7_000)
    ]

    shape = shape_of(documents)

    assert shape.paths == 602
    assert {node.kind for _, node in shape.walk()} == {"field"}
    assert counted(shape) == naive_counts(encoded(documents))


def test_a_discriminator_is_not_a_map() -> None:
    """Near miss: objects of several types, each with fields of its own, keep their fields."""
    kinds = [{"type": f"kind{n}", f"kind{n}": {f"f{n}_{m}": m for m in range(5)}} for n in range(40)]
    shape = shape_of([{"event": kinds[at % 40]} for at in range(2_000)])

    assert shape.node("event", "kind7", "f7_3").count == 50
    assert len(shape.node("event").children) == 41


def test_a_rating_from_one_to_five_is_not_a_map() -> None:
    """Near miss: five fields named 1 to 5 that every object has are fields."""
    shape = shape_of([{"ratings": {str(n): n for n in range(1, 6)}}] * 50)

    assert [child.kind for child in shape.node("ratings").children] == ["field"] * 5


# limits


def test_ten_thousand_paths_are_exact() -> None:
    """10,000 different field paths, a few a document, are all told apart and counted exactly."""
    draw = random.Random(2)
    paths = [(f"group{group}", f"field{number}") for group in range(100) for number in range(99)]
    documents = []
    for at in range(4_950):
        document: dict[str, Any] = {}
        for group, name in [*paths[2 * at : 2 * at + 2], *draw.sample(paths, 10)]:
            document.setdefault(group, {})[name] = draw.choice([1, "x"])
        documents.append(document)

    shape = shape_of(documents)

    assert shape.paths == 10_000
    assert counted(shape) == naive_counts(encoded(documents))
    assert not shape.limit_reached


def test_beyond_the_limit_rare_fields_are_one_and_it_is_said() -> None:
    """More paths than the limit: rare fields that are alike become one node; all totals stay exact."""
    draw = random.Random(2)
    documents = [{"_id": at, "props": {f"w{draw.randrange(5_000)}x": 1}} for at in range(8_000)]

    shape = shape_of(documents, path_limit=1_000)

    assert [(child.kind, child.count) for child in shape.node("props").children] == [("key", 8_000)]
    assert "more than 1,000 field paths" in shape.limit_reached


def test_paths_that_cannot_be_taken_together_are_counted_by_type() -> None:
    """Trees with ever new paths: those beyond the limit are counted together, and it is said."""

    def tree(levels: int, draw: random.Random) -> Any:
        if not levels:
            return draw.choice([1, "x"])
        return {name: tree(levels - 1, draw) for name in ("left", "right", "middle")}

    draw = random.Random(2)
    shape = shape_of([tree(8, draw) for _ in range(30)], path_limit=2_000)

    assert "counted together, by type only" in shape.limit_reached
    assert shape.paths < 20_000
    for _, node in shape.walk():
        assert sum(node.types.values()) == node.count


# the sample


def test_formats_are_told_by_the_strings_tested() -> None:
    """Formats are anchored: near misses of each count for nothing."""
    good = {
        "email": "ada@example.com",
        "uuid": "550e8400-e29b-41d4-a716-446655440000",
        "iso date": "2024-02-29",
        "iso datetime": "2024-01-15T10:30:00.123Z",
        "url": "https://example.com/a?b=c#d",
        "objectId": "507f1f77bcf86cd799439abc",
        "integer": "-42",
        "decimal": "3.14",
        "ip": "192.168.0.1",
    }
    bad = {
        "email": "ada@example",
        "uuid": "550e8400-e29b-41d4-a716-44665544000",
        "iso date": "2024-13-01",
        "iso datetime": "2024-01-15T25:30:00",
        "url": "see https://example.com",
        "objectId": "507f1f77bcf86cd79943901g",
        "integer": "42 ",
        "decimal": "3.14.15",
        "ip": "10:30:45",
    }

    shape = shape_of([good, good, bad])

    assert {name: dict(shape.node(name).formats) for name in good} == {name: {name: 2} for name in good}
    assert shape.node("ip").tested == 3


def test_the_facts_of_a_whole_small_collection() -> None:
    """Of a collection within the sample: few values, the extremes, lengths of strings."""
    shape = shape_of(
        [{"n": n, "state": ["new", "paid"][n % 2], "at": datetime(2024, 1, n + 1)} for n in range(9)]
        + [{"n": float("nan"), "state": "new", "at": None}]
    )

    state, n, at = shape.node("state"), shape.node("n"), shape.node("at")
    assert (state.values, state.sampled, state.distinct_in_sample) == (("new", "paid"), 10, 2)
    assert state.string_lengths and (state.string_lengths.minimum, state.string_lengths.maximum) == (3, 4)
    assert (n.minimum, n.maximum) == (0, 8)
    assert (at.minimum, at.maximum) == (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC))
    assert at.sampled == 9


def test_few_texts_are_looked_into_longer_than_many() -> None:
    """Of 1,500 documents every state is looked into, and of names that all differ the first 512."""
    states = ["new", "paid", "sent"]
    shape = shape_of(
        [{"state": states[at % 3], "name": f"name {at}", "mail": f"u{at}@example.com"} for at in range(1_500)]
    )

    state, name = shape.node("state"), shape.node("name")
    assert (state.sampled, set(state.values or ())) == (1_500, set(states))
    assert 512 <= name.sampled < 1_000 and name.values is None
    assert shape.node("mail").formats == {"email": shape.node("mail").tested}


def test_true_is_not_one() -> None:
    """Values that Python takes for equal but BSON does not stay apart."""
    assert shape_of([{"a": 1}, {"a": True}, {"a": 1.0}, {"a": Int64(1)}]).node("a").distinct_in_sample == 4


def test_bytes_add_up_to_the_documents() -> None:
    """The bytes of the fields of a whole sample are those of the documents."""
    draw = random.Random(4)
    documents = [
        {
            "_id": ObjectId(),
            "t": "ä" * draw.randrange(9),
            "l": [{"x": 1, "y": "z"}] * draw.randrange(800),
            "o": {},
        }
        for _ in range(500)
    ]

    shape = shape_of(documents)

    assert shape.root.mean_bytes == pytest.approx(shape.sizes.mean, rel=1e-9)


def test_the_sample_is_the_same_in_every_run() -> None:
    """The same documents give the same shape."""
    draw = random.Random(6)
    data = encoded([random_document(draw) for _ in range(3_000)])

    assert repr(infer("things", [data], sample=50)) == repr(infer("things", [data], sample=50))


def test_memory_does_not_grow_with_the_documents() -> None:
    """Six times the documents need the same memory."""

    def batches(documents: int) -> Iterator[bytes]:
        draw = random.Random(7)
        for start in range(0, documents, 500):
            yield encoded(
                {
                    "_id": at,
                    "name": f"n{draw.random()}",
                    "tags": ["x"] * draw.randrange(5),
                    f"o{draw.randrange(9)}": at,
                }
                for at in range(start, start + 500)
            )

    def peak(documents: int) -> int:
        tracemalloc.start()
        infer("things", batches(documents))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2_000)
    assert peak(36_000) < 1.2 * peak(6_000)


def test_the_collector_is_as_it_was() -> None:
    """Python's search for cycles is on again after an inference, also after one that failed."""
    with pytest.raises(CorruptDocument):
        infer("things", [b"\x01"])

    assert gc.isenabled()


def test_rows_for_json() -> None:
    """A row a path: how it is written, how it is queried, and its exact counts by type."""
    shape = shape_of([{"items": [{"a.b": 1}, {"a.b": "x"}]}, {}], of=2)

    rows = json.loads(json.dumps(shape_as_dict(shape)))

    assert [row["path"] for row in rows["fields"]] == ["items", "items[]", 'items[]["a.b"]']
    assert rows["fields"][0]["share"] == 0.5
    assert rows["fields"][0]["array_lengths"]["maximum"] == 2
    assert rows["fields"][2]["names"] == ["items", "[]", "a.b"]
    assert rows["fields"][2]["types"] == {"int": 1, "string": 1}
    assert rows["fields"][2]["query_path"] == "items.a.b"
