"""Dumps and exports: everything comes back, exactly, or one line says which byte or line does not."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import json_util
from bson.binary import Binary
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from workbench.catalog.collections import CollectionIndex
from workbench.documents.archives import Crc64, read_archive
from workbench.documents.dumps import Dump, open_dump
from workbench.errors import DumpError, SourceError

TERMINATOR = b"\xff\xff\xff\xff"
AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
ODD = 'a "quoted" $näme.<b>x</b> 🙂\n'


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0xC96C5795D7870F42 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = _crc_table()


def crc64(data: bytes) -> int:
    """CRC-64 of ECMA-182 by its table, as a signed number of 64 bits, which is how an archive has it."""
    crc = 0xFFFF_FFFF_FFFF_FFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return int(struct.unpack("<q", struct.pack("<Q", crc ^ 0xFFFF_FFFF_FFFF_FFFF))[0])


def crc64_of_xz(data: bytes) -> int:
    """The same, for data that are long: as the .xz format stores it in front of its index."""
    stream = lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC64, 0)
    index = 4 * (int(struct.unpack("<I", stream[-8:-4])[0]) + 1)
    return int(struct.unpack("<q", stream[-12 - index - 8 : -12 - index])[0])


class ArchiveWriter:
    """Writes an archive as common/archive of mongo-tools does: a header where the collection changes."""

    def __init__(self, **header: Any) -> None:
        self.out = io.BytesIO()
        self.written: dict[tuple[str, str], bytes] = {}
        self.current: tuple[str, str] | None = None
        self.out.write(b"\x6d\xe2\x99\x81")
        self.out.write(
            bson.encode(
                {
                    "concurrent_collections": 4,
                    "version": "0.1",
                    "server_version": "7.0.28",
                    "tool_version": "100.12.0",
                    **header,
                }
            )
        )

    def metadata(self, db: str, name: str, fields: Mapping[str, Any] | None = None, **more: Any) -> None:
        text = json_util.dumps(fields, json_options=json_util.CANONICAL_JSON_OPTIONS) if fields else ""
        entry = {"db": db, "collection": name, "metadata": text, "size": 0, "type": "collection", **more}
        self.out.write(bson.encode(entry))

    def end_of_metadata(self) -> None:
        self.out.write(TERMINATOR)

    def documents(self, db: str, name: str, documents: Iterable[Mapping[str, Any]]) -> None:
        if self.current != (db, name):
            if self.current:
                self.out.write(TERMINATOR)
            self.out.write(bson.encode({"db": db, "collection": name, "EOF": False, "CRC": Int64(0)}))
        self.current = (db, name)
        data = b"".join(bson.encode(each) for each in documents)
        self.out.write(data)
        self.written[self.current] = self.written.get(self.current, b"") + data

    def end(self, db: str, name: str) -> None:
        if self.current:
            self.out.write(TERMINATOR)
        crc = crc64(self.written.get((db, name), b""))
        self.out.write(bson.encode({"db": db, "collection": name, "EOF": True, "CRC": Int64(crc)}))
        self.out.write(TERMINATOR)
        self.current = None

    def content(self) -> bytes:
        return self.out.getvalue()


ORDERS = [
    {"_id": number, "total": number * 1.5, "lines": [{"sku": "x"}] * (number % 3)} for number in range(9)
]
USERS = [{"_id": ObjectId(), "name": f"user {number}"} for number in range(4)]


def shop() -> ArchiveWriter:
    """Two collections interleaved, an empty one and a view, each begun and ended as mongodump does."""
    archive = ArchiveWriter()
    archive.metadata(
        "shop",
        "orders",
        {
            "options": {"validator": {"total": {"$gte": 0.0}}, "validationLevel": "moderate"},
            "indexes": [
                {"v": 2, "key": {"_id": 1}, "name": "_id_"},
                {
                    "v": 2,
                    "key": {"total": -1, "at": 1},
                    "name": "recent",
                    "unique": True,
                    "partialFilterExpression": {"total": {"$gt": Int64(10)}},
                    "expireAfterSeconds": 3600,
                },
            ],
            "uuid": "ee3534fe9545406f90406b246dde420d",
            "collectionName": "orders",
            "type": "collection",
        },
    )
    archive.metadata("shop", "users")
    archive.metadata("shop", "empty", {"options": {"capped": True, "size": Int64(4096)}, "indexes": []})
    archive.metadata(
        "shop",
        "dear",
        {"options": {"viewOn": "orders", "pipeline": [{"$match": {"total": {"$gt": 9}}}]}, "type": "view"},
        type="view",
    )
    archive.end_of_metadata()
    archive.documents("shop", "orders", ORDERS[:4])
    archive.documents("shop", "users", USERS[:1])
    archive.documents("shop", "dear", [])
    archive.end("shop", "dear")
    archive.documents("shop", "orders", ORDERS[4:])
    archive.documents("shop", "empty", [])
    archive.end("shop", "empty")
    archive.end("shop", "orders")
    archive.documents("shop", "users", USERS[1:])
    archive.end("shop", "users")
    return archive


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def encoded(*documents: Mapping[str, Any]) -> bytes:
    return b"".join(bson.encode(each) for each in documents)


def documents_of(dump: Dump, name: str, **sampling: int) -> list[dict[str, Any]]:
    return [each for batch in dump.batches(name, **sampling) for each in bson.decode_all(batch, AWARE)]


def refusal(path: Path) -> DumpError:
    """The error of opening *path*; it is one line and names the file."""
    with pytest.raises(DumpError) as refused, open_dump(path):
        pass
    assert "\n" not in str(refused.value)
    assert path.is_dir() or path.stem.splitlines()[0] in str(refused.value)
    return refused.value


@pytest.mark.parametrize("name", ["shop.archive", "shop.archive.gz", "without a suffix"])
def test_an_archive_comes_back_as_it_was_dumped(name: str, tmp_path: Path) -> None:
    """Interleaved collections are put together again, with what their metadata declare."""
    path = written(tmp_path / name, shop().content())

    with open_dump(path) as dump:
        found = {each.name: each for each in dump.catalog.collections}
        assert documents_of(dump, "orders") == ORDERS
        assert documents_of(dump, "users") == USERS
        assert documents_of(dump, "empty") == documents_of(dump, "dear") == []

    assert (dump.title, dump.catalog.database) == (name, "shop")
    assert (dump.catalog.server, dump.catalog.topology) == ("MongoDB 7.0.28", "files")
    assert dump.catalog.left_out == ()
    assert found["orders"].documents == 9
    assert found["orders"].size_bytes == len(encoded(*ORDERS))
    assert found["orders"].storage_bytes is None
    assert found["orders"].validator == {"total": {"$gte": 0.0}}
    assert found["orders"].validation_level == "moderate"
    assert found["orders"].indexes[1] == CollectionIndex(
        "recent",
        (("total", -1), ("at", 1)),
        unique=True,
        partial_filter={"total": {"$gt": 10}},
        expire_after_s=3600,
    )
    assert found["empty"].capped and found["empty"].documents == 0
    assert (found["dear"].kind, found["dear"].view_on) == ("view", "orders")
    assert found["dear"].pipeline == ({"$match": {"total": {"$gt": 9}}},)
    assert found["dear"].documents is None and found["dear"].size_bytes is None


def test_the_header_of_an_archive_is_read(tmp_path: Path) -> None:
    """All four fields of the header, as mongodump wrote them."""
    path = written(tmp_path / "shop.archive", shop().content())

    header = read_archive(path, lambda: path.open("rb")).header

    assert (header.concurrent_collections, header.version) == (4, "0.1")
    assert (header.server_version, header.tool_version) == ("7.0.28", "100.12.0")


def test_an_archive_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """Whatever byte an archive ends at: what came before is not taken for the whole."""
    content = shop().content()

    for length in range(len(content)):
        refusal(written(tmp_path / "cut.archive", content[:length]))


def test_an_archive_with_a_wrong_byte_is_refused_where_documents_are(tmp_path: Path) -> None:
    """A byte that differs among the documents is found by length or by checksum, elsewhere never a crash."""
    content = shop().content()
    first = content.index(bson.encode(ORDERS[0]))

    for at in range(0, len(content), 3):
        damaged = content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1 :]
        path = written(tmp_path / "damaged.archive", damaged)
        try:
            with open_dump(path) as dump:
                assert dump.catalog.collections
        except SourceError as exc:
            assert "\n" not in str(exc)
        else:
            assert not first <= at < first + len(encoded(*ORDERS[:4])), f"byte {at}"


def test_a_wrong_checksum_names_the_collection(tmp_path: Path) -> None:
    """One digit of one value differs: lengths are right, the checksum is not."""
    content = shop().content().replace(b"user 2\x00", b"user 3\x00")

    refused = refusal(written(tmp_path / "shop.archive", content))

    assert refused.collection == "shop.users"
    assert refused.offset is not None and "checksum" in str(refused)


def test_a_cut_gzip_archive_is_refused(tmp_path: Path) -> None:
    """gzip that lacks its end is no archive, even where the documents happen to be complete."""
    path = written(tmp_path / "shop.archive.gz", shop().content())
    path.write_bytes(path.read_bytes()[:-4])

    assert "end mark" in str(refusal(path))


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    """Another file, an empty one, another format of archive; an archive of nothing is fine."""
    archive = ArchiveWriter()
    archive.end_of_metadata()
    with open_dump(written(tmp_path / "nothing.archive", archive.content())) as dump:
        assert dump.catalog.collections == ()
    assert "first bytes" in str(refusal(written(tmp_path / "other.archive", b"PK\x03\x04 and so on")))
    assert "first bytes" in str(refusal(written(tmp_path / "empty.archive", b"")))
    assert "'9.9'" in str(refusal(written(tmp_path / "new.archive", ArchiveWriter(version="9.9").content())))


def test_an_archive_whose_blocks_make_no_sense_is_refused(tmp_path: Path) -> None:
    """Two terminators, a header without a collection, one that begins twice, documents after its end."""
    whole = shop().content()
    header = {"db": "shop", "collection": "users", "EOF": False, "CRC": Int64(0)}
    tails = {
        "terminator follows": TERMINATOR,
        "names no collection": bson.encode({"db": "shop"}) + TERMINATOR,
        "begins again": bson.encode(header) + TERMINATOR,
        "documents follow": bson.encode({**header, "collection": "new", "EOF": True}) + bson.encode({"a": 1}),
        "a length of 3 bytes": struct.pack("<i", 3),
        "is not BSON": b"\x0a\x00\x00\x00\x99bad!\x00",
    }
    for said, tail in tails.items():
        refused = refusal(written(tmp_path / "shop.archive", whole + tail))
        assert said in str(refused)
        assert refused.offset is not None and refused.offset >= len(whole)


def test_metadata_that_are_no_metadata_are_refused(tmp_path: Path) -> None:
    """Damaged metadata are said of the collection that they are of."""
    for text, said in {
        "{nope": "not extended JSON",
        "[1]": "not a document",
        '{"options": 3}': "'options'",
        '{"indexes": [{"name": "x"}]}': "has no key",
        '{"indexes": [{"key": {"a": {"$numberLong": "many"}}}]}': "not extended JSON",
    }.items():
        archive = ArchiveWriter()
        archive.metadata("shop", ODD, metadata=text)
        archive.end_of_metadata()
        archive.end("shop", ODD)
        refused = refusal(written(tmp_path / "shop.archive", archive.content()))
        assert said in str(refused) and refused.collection == f"shop.{ODD}"


def test_a_time_series_has_the_size_of_its_buckets(tmp_path: Path) -> None:
    """As on a server, buckets are not counted as documents; that measurements cannot be read is said."""
    archive = ArchiveWriter()
    options = {"timeseries": {"timeField": "at", "metaField": "who", "granularity": "minutes"}}
    archive.metadata(
        "shop", "clicks", {"options": {**options, "expireAfterSeconds": Int64(60)}}, type="timeseries"
    )
    archive.end_of_metadata()
    buckets = [
        {"_id": ObjectId(), "control": {"version": 2, "count": 40}, "data": {"at": Binary(b"\x00", 7)}},
        {"_id": ObjectId(), "control": {"version": 1}, "data": {"at": {"0": datetime.now(UTC), "1": 0}}},
    ]
    archive.documents("shop", "system.buckets.clicks", buckets)
    archive.end("shop", "system.buckets.clicks")

    with open_dump(written(tmp_path / "shop.archive", archive.content())) as dump:
        (clicks,) = dump.catalog.collections
        assert documents_of(dump, "clicks") == []

    assert (clicks.name, clicks.kind, clicks.documents) == ("clicks", "time series", None)
    assert clicks.size_bytes == len(encoded(*buckets))
    assert clicks.time_series == options["timeseries"] and clicks.expire_after_s == 60
    assert len(dump.catalog.left_out) == 1 and "clicks" in dump.catalog.left_out[0]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_mongodump(suffix: str, tmp_path: Path) -> None:
    """Folders of databases, names that are percent-encoded or cut, the server's own left out and named."""
    long = "n" * 240
    metadata = {
        "shop/orders": {"indexes": [{"v": 2, "key": {"a": 1.0, "b": Decimal128("-1")}, "name": "a_b"}]},
        f"shop/{'n' * 208}%24abc": {"collectionName": long, "indexes": []},
        "shop/p%2Fq": {"options": {"collation": {"locale": "de"}}},
        "shop/%24oddn%C3%A4me": {},
    }
    for name, fields in metadata.items():
        text = json_util.dumps(fields, json_options=json_util.CANONICAL_JSON_OPTIONS)
        written(tmp_path / f"dump/{name}.metadata.json{suffix}", text.encode())
        written(tmp_path / f"dump/{name}.bson{suffix}", encoded({"_id": name}))
    written(tmp_path / f"dump/admin/system.users.bson{suffix}", encoded({"_id": 1}))
    written(tmp_path / f"dump/oplog.bson{suffix}", encoded({"ts": 1}))
    written(tmp_path / f"dump/prelude.json{suffix}", b'{"ServerVersion": "8.0.4", "ToolVersion": "100.12.0"}')

    with open_dump(tmp_path / "dump") as dump:
        found = {each.name: each for each in dump.catalog.collections}
        assert documents_of(dump, long) == [{"_id": f"shop/{'n' * 208}%24abc"}]
        assert documents_of(dump, "p/q") == [{"_id": "shop/p%2Fq"}]

    assert found.keys() == {"orders", long, "p/q", "$oddnäme"}
    assert dump.catalog.server == "MongoDB 8.0.4" and dump.catalog.database == "shop"
    assert found["orders"].indexes[0].key == (("a", 1), ("b", -1))
    assert found["p/q"].collation == {"locale": "de"}
    assert len(dump.catalog.left_out) == 2
    assert [line for line in dump.catalog.left_out if line.startswith("admin.system.users")]
    with open_dump(tmp_path / "dump" / "shop") as alone:
        assert {each.name for each in alone.catalog.collections} == found.keys()


def test_the_same_collection_in_two_databases_has_two_names(tmp_path: Path) -> None:
    """Where there are several databases, each collection is named with its own."""
    written(tmp_path / "dump/one/c.bson", encoded({"a": 1}))
    written(tmp_path / "dump/two/c.bson", encoded({"a": 2}))

    with open_dump(tmp_path / "dump") as dump:
        assert documents_of(dump, "one.c") == [{"a": 1}]
        assert documents_of(dump, "two.c") == [{"a": 2}]
        with pytest.raises(KeyError):
            dump.batches("c")


def test_two_files_of_a_collection_are_refused(tmp_path: Path) -> None:
    """c.bson beside c.json: which one counts is not guessed."""
    written(tmp_path / "c.bson", encoded({"a": 1}))
    written(tmp_path / "c.json", b'{"a": 1}')

    assert "c.bson" in str(refusal(tmp_path))


def test_a_folder_without_a_dump_is_one_line(tmp_path: Path) -> None:
    """No file that could be read: said, with the folder."""
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match="no BSON and no JSON"), open_dump(tmp_path):
        pass
    with pytest.raises(SourceError, match="no such file"), open_dump(tmp_path / "nowhere"):
        pass
    assert "is not a dump" in str(refusal(tmp_path / "notes.txt"))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_single_file_of_bson(suffix: str, tmp_path: Path) -> None:
    """One collection, with the metadata that lie beside it; an empty file is an empty collection."""
    path = written(tmp_path / f"orders.bson{suffix}", encoded(*ORDERS))
    written(tmp_path / f"orders.metadata.json{suffix}", b'{"options": {"clusteredIndex": {"unique": true}}}')
    with open_dump(path) as dump:
        (orders,) = dump.catalog.collections
        assert documents_of(dump, "orders") == ORDERS
    assert (orders.name, orders.documents, orders.clustered) == ("orders", 9, True)
    with open_dump(written(tmp_path / f"none.bson{suffix}", b"")) as dump:
        assert [(each.name, each.documents) for each in dump.catalog.collections] == [("none", 0)]
        assert documents_of(dump, "none") == documents_of(dump, "none", sample=5) == []


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (struct.pack("<i", 4) + b"\x00", "a length of 4 bytes"),
        (struct.pack("<i", 0), "a length of 0 bytes"),
        (struct.pack("<i", -1), "a length of -1 bytes"),
        (struct.pack("<i", -(2**31)), "a length of -2,147,483,648 bytes"),
        (struct.pack("<i", 17 * 2**20), "a length of 17,825,792 bytes"),
        (struct.pack("<i", 2**31 - 1), "a length of 2,147,483,647 bytes"),
        (struct.pack("<i", 100) + b"\x10a\x00", "a document of 100 bytes begins here and 7 bytes are left"),
        (b"\x05\x00\x00", "in the middle of a document's length"),
        (b"\x05\x00\x00\x00", "5 bytes begins here and 4 bytes"),
        (b"\x05\x00\x00\x00\x01", "does not end there"),
    ],
)
def test_a_wrong_length_is_told_with_its_byte(tail: bytes, said: str, suffix: str, tmp_path: Path) -> None:
    """Too small, negative, too large, beyond the file, without an end: with file, collection and byte."""
    sound = encoded(*ORDERS)

    refused = refusal(written(tmp_path / f"orders.bson{suffix}", sound + tail))

    assert said in str(refused)
    assert (refused.collection, refused.offset) == ("orders", len(sound))


def test_damaged_gzip_is_told(tmp_path: Path) -> None:
    """Cut, altered, empty or not gzip at all."""
    path = written(tmp_path / "orders.bson.gz", encoded(*ORDERS))
    whole = path.read_bytes()
    for content, said in {
        whole[:-3]: "end mark",
        whole[:40]: "end mark",
        whole[:-6] + b"\x00" + whole[-5:]: "damaged",
        whole + b"rest": "damaged",
        b"": "is not gzip",
        encoded(*ORDERS): "is not gzip",
    }.items():
        path.write_bytes(content)
        assert said in str(refusal(path))


def test_a_file_that_changes_while_it_is_open_is_refused(tmp_path: Path) -> None:
    """What was counted is what is read, or nothing is."""
    path = written(tmp_path / "orders.bson", encoded(*ORDERS))
    with open_dump(path) as dump:
        path.write_bytes(encoded(ORDERS[0]))
        with pytest.raises(DumpError, match="open it again"):
            documents_of(dump, "orders")


def test_a_sample_is_random_exact_and_the_same_again(tmp_path: Path) -> None:
    """So many different documents, in their order, the same for a seed; each as likely as the next."""
    everything = [{"_id": number, "pad": "x" * (number % 50)} for number in range(5000)]
    path = written(tmp_path / "c.bson", encoded(*everything))
    counts = [0] * 10
    with open_dump(path) as dump:
        first = documents_of(dump, "c", sample=100)
        assert first == documents_of(dump, "c", sample=100) == sorted(first, key=lambda each: each["_id"])
        assert len({each["_id"] for each in first}) == 100
        assert first != documents_of(dump, "c", sample=100, seed=2)
        assert documents_of(dump, "c", sample=5000) == documents_of(dump, "c", sample=9999) == everything
        assert documents_of(dump, "c", sample=0) == []
        for seed in range(40):
            for each in documents_of(dump, "c", sample=100, seed=seed):
                counts[each["_id"] // 500] += 1
    assert sum(counts) == 4000 and min(counts) > 320 and max(counts) < 480  # 400 each; 4 standard deviations


BIG = 9007199254740993
CANONICAL = {
    "_id": ObjectId("5f0000000000000000000001"),
    "int": 5,
    "long": Int64(7),
    "big": Int64(BIG),
    "double": 2.0,
    "money": Decimal128("10.50"),
    "when": datetime(2024, 2, 29, 12, 30, 0, 123000, tzinfo=UTC),
    "uuid": Binary(bytes(range(16)), 4),
    "bytes": Binary(b"\x00\xff", 128),
    "re": Regex("^a", "i"),
    "ts": Timestamp(1, 2),
    "ref": DBRef("other", 1),
    "a.b": {"$x": [None, True, {"": "no name"}]},
}


def exported(documents: Iterable[Mapping[str, Any]], options: json_util.JSONOptions) -> list[str]:
    return [json_util.dumps(each, json_options=options) for each in documents]


@pytest.mark.parametrize(
    "options",
    [json_util.CANONICAL_JSON_OPTIONS, json_util.RELAXED_JSON_OPTIONS, json_util.LEGACY_JSON_OPTIONS],
    ids=["canonical", "relaxed", "version 1"],
)
def test_extended_json_of_each_version(options: json_util.JSONOptions, tmp_path: Path) -> None:
    """Values come back with their types; in relaxed JSON, whole numbers are of one kind, and equal still."""
    (line,) = exported([CANONICAL], options)
    with open_dump(written(tmp_path / "c.json", line.encode())) as dump:
        (found,) = documents_of(dump, "c")
    assert found == CANONICAL
    assert list(found) == list(CANONICAL)
    if options is json_util.CANONICAL_JSON_OPTIONS:
        assert {name: type(value) for name, value in found.items()} == {
            name: type(value) for name, value in CANONICAL.items()
        }


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_each_layout_of_an_export(suffix: str, tmp_path: Path) -> None:
    """Lines, an array, either of them indented, a byte order mark, no end of line: the same documents."""
    lines = exported(ORDERS, json_util.RELAXED_JSON_OPTIONS)
    indented = [json.dumps(json.loads(line), indent=4) for line in lines]
    for text in (
        "\n".join(lines),
        "\r\n".join(lines) + "\r\n\r\n",
        "[" + ",\n".join(lines) + "]\n",
        "[\n" + "\n,\n".join(indented) + "\n]",
        "\n".join(indented),
        "".join(lines),
        "\ufeff" + "\n".join(lines),
    ):
        for kind in ("json", "jsonl", "ndjson"):
            with open_dump(written(tmp_path / f"orders.{kind}{suffix}", text.encode())) as dump:
                assert documents_of(dump, "orders") == ORDERS
                assert dump.catalog.collections[0].size_bytes == len(encoded(*ORDERS))
    for empty in ("", "\n", "[]", " [ ] "):
        with open_dump(written(tmp_path / f"none.json{suffix}", empty.encode())) as dump:
            assert [(each.name, each.documents) for each in dump.catalog.collections] == [("none", 0)]


def test_a_document_longer_than_the_buffer(tmp_path: Path) -> None:
    """Documents that no read holds as a whole, and names of 10 MB, come back as they are."""
    large: list[dict[str, Any]] = [
        {"_id": 0, "text": "ä" * 3_000_000},
        {"_id": 1, "x" * 10_000_000: 1},
        {"_id": 2, "many": [{"n": each} for each in range(100_000)]},
        {"_id": 3},
    ]
    lines = [json.dumps(each, ensure_ascii=False) for each in large]
    for name, content in {"c.json": "\n".join(lines).encode(), "c.bson": encoded(*large)}.items():
        with open_dump(written(tmp_path / name, content)) as dump:
            assert documents_of(dump, "c") == large
            assert documents_of(dump, "c", sample=1, seed=3)[0] in large


def test_odd_values_of_json(tmp_path: Path) -> None:
    """What exports have beyond the standard of JSON: NaN and infinities, as numbers and names; far dates."""
    text = (
        '{"NaN": NaN, "up": Infinity, "down": -Infinity, "d": {"$numberDouble": "NaN"}, '
        '"far": {"$date": {"$numberLong": "253402300800000"}}, "before": {"$date": -1}}'
    )
    with open_dump(written(tmp_path / "c.json", text.encode())) as dump:
        (batch,) = dump.batches("c")
    milliseconds: CodecOptions[dict[str, Any]] = CodecOptions(
        datetime_conversion=DatetimeConversion.DATETIME_MS
    )
    found = bson.decode(batch, milliseconds)
    assert math.isnan(found["NaN"]) and math.isnan(found["d"])
    assert (found["up"], found["down"]) == (math.inf, -math.inf)
    assert (int(found["far"]), int(found["before"])) == (253402300800000, -1)


def test_documents_two_hundred_levels_deep(tmp_path: Path) -> None:
    """200 levels are read; a hundred thousand are one line."""
    deep = '{"a":' * 200 + "1" + "}" * 200
    with open_dump(written(tmp_path / "c.json", deep.encode())) as dump:
        (value,) = documents_of(dump, "c")
    assert json.dumps(value) == deep.replace('":', '": ')
    refused = refusal(written(tmp_path / "c.json", ('{"a":' * 100_000 + "1" + "}" * 100_000).encode()))
    assert "nested more deeply" in str(refused) and refused.line == 1


@pytest.mark.parametrize(
    ("text", "said", "line", "column"),
    [
        ('{"a": 1}\n{"a": nope}\n{"a": 2}', "no JSON: expecting value", 2, 7),
        ('{"a": 1}\n{"a": 1', "may be truncated", 2, 8),
        ('{"a": 1}\n{"a": "tex', "may be truncated", 2, 7),
        ('{"a": 1}\n{"a": 1,\n{"a": 2}', "property name", 3, 1),
        ('{"a": 1}\n  7\n', "a document is expected", 2, 3),
        ('{"a": 1}\n{NaN: 1}', "property name", 2, 2),
        ('{"a": "x\ny"}', "control character", 1, 9),
        ('{"_id": ObjectId("5f")}', "expecting value", 1, 9),
        ('[{"a": 1},\n{"a": 2}', "ends within the array", 2, 9),
        ('[{"a": 1},\n', "ends where a document is expected", 2, 1),
        ('[{"a": 1}\n{"a": 2}]', "a comma or ] is expected", 2, 1),
        ('[{"a": 1}]\n{"a": 2}', "follows the end of the array", 2, 1),
        ('\n{"a": {"$oid": "zz"}}', "no extended JSON", 2, 1),
        ('\n{"a": {"$date": "yesterday"}}', "no extended JSON", 2, 1),
        ('\n{"a": {"$numberDecimal": "1,5"}}', "no extended JSON", 2, 1),
        ('\n{"a\\u0000b": 1}', "BSON cannot hold", 2, 1),
        ('\n{"a": 99999999999999999999}', "BSON cannot hold", 2, 1),
        ('\n{"a": "\\ud800"}', "BSON cannot hold", 2, 1),
        ('\n{"$oid": "5f0000000000000000000001"}', "a value of type ObjectId", 2, 1),
    ],
)
def test_a_line_that_is_no_document_is_told(
    text: str, said: str, line: int, column: int, tmp_path: Path
) -> None:
    """File, collection, line and column of what is no JSON, no extended JSON or nothing for BSON."""
    refused = refusal(written(tmp_path / "c.jsonl", text.encode()))

    assert said in str(refused)
    assert (refused.collection, refused.line, refused.column) == ("c", line, column)


def test_lines_are_counted_over_the_whole_file(tmp_path: Path) -> None:
    """The line of an error far behind the first megabytes."""
    text = "".join(f'{{"n": {number}, "pad": "{"x" * 80}"}}\n' for number in range(30_000))

    assert refusal(written(tmp_path / "c.json", (text + "oops").encode())).line == 30_001


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    """Latin-1 and UTF-16 are no UTF-8, and a document beyond 16 MB is none."""
    assert "UTF-8" in str(refusal(written(tmp_path / "c.json", '{"a": "ä"}'.encode("latin-1"))))
    assert "UTF-8" in str(refusal(written(tmp_path / "c.json", '{"a": 1}'.encode("utf-16"))))
    huge = json.dumps({"a": "x" * (17 << 20)}).encode()
    assert "BSON has at most" in str(refusal(written(tmp_path / "c.json", huge)))


def test_odd_names_are_kept_and_never_break_a_line(tmp_path: Path) -> None:
    """Quotes, dots, dollars, HTML, a line feed in the name of a collection, in an archive and as a file's."""
    archive = ArchiveWriter()
    archive.metadata("shop", ODD)
    archive.end_of_metadata()
    archive.documents("shop", ODD, [{"a": 1}])
    archive.end("shop", ODD)
    content = archive.content()
    with open_dump(written(tmp_path / "odd.archive", content)) as dump:
        assert documents_of(dump, ODD) == [{"a": 1}]
    refusal(written(tmp_path / "odd.archive", content.replace(encoded({"a": 1}), encoded({"a": 2}))))
    for name in ("../../etc/passwd", "a\x00b", "100%", ODD):
        path = (
            tmp_path / "names" / (name.replace("%", "%25").replace("/", "%2F").replace("\0", "%00") + ".bson")
        )
        with open_dump(written(path, encoded({"a": 1})).parent) as dump:
            assert documents_of(dump, name) == [{"a": 1}]
        refusal(written(path, b"\x01"))
        path.unlink()


def test_the_checksum_is_ecma_182() -> None:
    """As by the table of the standard, at the borders of its chunks; the check value is 995dc9bbdf1939fa."""
    assert crc64(b"123456789") & 0xFFFF_FFFF_FFFF_FFFF == 0x995DC9BBDF1939FA
    for size in (0, 1, 2, 3, 65_535, 65_536, 65_537, 140_000):
        data = random.Random(size).randbytes(size)
        checksum, wrong = Crc64(), Crc64()
        for part in (data[: size // 3], data[size // 3 :]):
            checksum.update(part)
            wrong.update(part)
        assert checksum.is_(crc64(data))
        assert not wrong.is_(crc64(data) ^ 1)


@pytest.mark.parametrize("name", ["c.bson", "c.bson.gz", "c.json", "c.archive.gz"])
def test_memory_does_not_depend_on_the_size(name: str, tmp_path: Path) -> None:
    """50 MB of documents are opened and read, as a whole and in a sample, within 12 MB."""
    document = {"_id": 1, "name": "x" * 900, "tags": ["a", "b"]}
    one = encoded(document)
    count = 50_000_000 // len(one)
    content = io.BytesIO()
    if "json" in name:
        content.write((json.dumps(document) + "\n").encode() * count)
    elif "archive" in name:
        archive = ArchiveWriter()
        archive.metadata("shop", "c")
        archive.end_of_metadata()
        header = {"db": "shop", "collection": "c", "EOF": False, "CRC": Int64(0)}
        data = one * count
        archive.out.write(bson.encode(header) + data + TERMINATOR)
        archive.out.write(bson.encode({**header, "EOF": True, "CRC": Int64(crc64_of_xz(data))}) + TERMINATOR)
        del data
        content.write(archive.content())
    else:
        content.write(one * count)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.getvalue(), 1) if name.endswith(".gz") else content.getvalue())
    del content

    tracemalloc.start()
    try:
        with open_dump(path) as dump:
            assert dump.catalog.collections[0].documents == count
            assert sum(len(batch) for batch in dump.batches("c")) == count * len(one)
            assert sum(len(batch) for batch in dump.batches("c", sample=100)) == 100 * len(one)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000


def test_what_was_written_out_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary copy of a compressed archive or an export goes with the block, also after an error."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with open_dump(written(tmp_path / "shop.archive.gz", shop().content())):
        assert list((tmp_path / "temporary").iterdir())
    with pytest.raises(DumpError), open_dump(written(tmp_path / "c.json", b'{"a": 1}\n{')):
        pass
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """Where what is written out does not fit, the folder and what to do are said, and nothing is left."""
    path = written(tmp_path / "c.json", b'{"a": "' + b"x" * 100_000 + b'"}\n')
    path.write_bytes(path.read_bytes() * 100)
    program = (
        "import resource, sys; from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "from workbench.documents.dumps import open_dump\n"
        "from workbench.errors import DumpError\n"
        "try:\n"
        "    with open_dump(Path(sys.argv[1])): print('opened')\n"
        "except DumpError as exc: print(exc)\n"
    )
    (tmp_path / "temporary").mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )
    assert "does not fit" in ran.stdout and "TMPDIR" in ran.stdout, ran.stderr
    assert list((tmp_path / "temporary").iterdir()) == []
