"""The inference of shapes: exact counts, documents a second beside decoding alone, memory, and a peer.

The documents are generated: a pool of 10,000 different ones with optional fields, several types, objects
and arrays, dealt out with an _id of their own each; every 2,000th has a rare field. Both rates are taken in
one process, batch by batch in turn, so that noise meets both, while Python's search for cycles is off,
which favours decoding. A batch is one megabyte, decoded at once by ``bson.decode_all``.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bson
from bson import Decimal128, Int64, ObjectId
from catalog import _peak_mb

from workbench.catalog.shapes import Shape
from workbench.documents.shape import infer

DOCUMENTS = 1_000_000
FEWER = 100_000
POOL = 10_000
RARE_EVERY = 2_000  # 0.05 %
PATHS = 10_000
PEER = "mongodb-schema"
PEER_VERSION = "12.7.0"
PEER_DOCUMENTS = 20_000
LIMIT_RATIO = 0.5
LIMIT_MEMORY = 1.2
_BATCH = 2_000  # documents, about a megabyte

Counts = Counter[tuple[tuple[str, ...], str]]


def rows(server: Any = None) -> list[dict[str, Any]]:
    """The benchmark's rows. *server* is not used: shapes are inferred from BSON, without one."""
    rates = _in_a_process("rates", DOCUMENTS)
    memory = _in_a_process("memory", DOCUMENTS)["peak_mb"] / _in_a_process("memory", FEWER)["peak_mb"]
    ratio = rates["inferred"] / rates["decoded"]
    wrong_paths = _differences(*_many_paths())
    found = [
        _row(
            f"inference of {DOCUMENTS:,} documents, rate",
            round(rates["inferred"]),
            "documents/s",
            ratio >= LIMIT_RATIO,
            peer="bson.decode_all alone",
            peer_value=round(rates["decoded"]),
            limit=round(LIMIT_RATIO * rates["decoded"]),
        ),
        _row(
            f"paths and types counted wrong, of {rates['counted']:,}",
            rates["wrong"],
            "counts",
            rates["wrong"] == 0,
            limit=0,
        ),
        _row(
            "documents with the rare field, of 500",
            rates["rare"],
            "documents",
            rates["rare"] == DOCUMENTS // RARE_EVERY,
            limit=DOCUMENTS // RARE_EVERY,
        ),
        _row(
            f"peak memory, {DOCUMENTS:,} documents against {FEWER:,}",
            round(memory, 2),
            "times",
            memory <= LIMIT_MEMORY,
            limit=LIMIT_MEMORY,
        ),
        _row(f"counts wrong among {PATHS:,} paths", wrong_paths, "counts", wrong_paths == 0, limit=0),
    ]
    return [*found, *_peer_rows()]


def _row(
    benchmark: str,
    value: float,
    unit: str,
    ok: bool,
    *,
    peer: str = "",
    peer_value: float | None = None,
    limit: float | None = None,
) -> dict[str, Any]:
    """A row in the common format."""
    return {
        "benchmark": benchmark,
        "value": value,
        "unit": unit,
        "peer": peer,
        "peer_value": peer_value,
        "ratio": round(value / peer_value, 2) if peer_value else None,
        "limit": limit,
        "ok": ok,
    }


# the documents


def _pool() -> list[dict[str, Any]]:
    draw = random.Random(20)
    return [_document(draw, number) for number in range(POOL)]


def _document(draw: random.Random, number: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "_id": ObjectId(b"\0" * 12),  # the first, for `_batches` writes over it
        "sku": f"SKU-{number:08}",
        "email": f"user{number}@example.com",
        "visits": draw.randrange(10**6),
        "balance": Int64(draw.randrange(10**12)),
        "price": Decimal128(f"{draw.randrange(10**5) / 100:.2f}") if draw.random() < 0.95 else 9.5,
        "created": datetime(2024, 1, 1) + timedelta(seconds=number),
        "active": draw.random() < 0.5,
        "status": draw.choice(["new", "paid", "sent"]),
        "address": {
            "street": f"Street {draw.randrange(1000)}",
            "city": draw.choice(["Bern", "Wien", "Rom"]),
            "zip": f"{draw.randrange(10**5):05}",
            "place": {"latitude": draw.random(), "longitude": draw.random()},
        },
        "tags": [draw.choice("abcdef") * 5 for _ in range(draw.randrange(5))],
        "lines": [
            {"sku": f"S{draw.randrange(1000)}", "quantity": draw.randrange(10), "price": draw.random()}
            for _ in range(draw.randrange(1, 5))
        ],
    }
    optional = {"note": "x" * draw.randrange(100), "score": draw.choice([1, 2.5, None]), "ip": "10.0.0.1"}
    for name, value in optional.items():
        if draw.random() < 0.3:
            document[name] = value
    return document


def _batches(documents: int) -> Iterator[bytes]:
    """*documents* of the pool in turn, each with an _id of its own, some MB at a time."""
    pool = _pool()
    tails = [bson.encode(each)[21:] for each in pool]  # behind the length, the name _id and its 12 bytes
    rare = [bson.encode({**each, "rare": True})[21:] for each in pool[:: len(pool) // 5]]
    for start in range(0, documents, _BATCH):
        parts = []
        for number in range(start, min(start + _BATCH, documents)):
            tail = rare[number // RARE_EVERY % 5] if number % RARE_EVERY == 0 else tails[number % POOL]
            head = (21 + len(tail)).to_bytes(4, "little") + b"\x07_id\0" + number.to_bytes(12, "big")
            parts += (head, tail)
        yield b"".join(parts)


def _expected(documents: int) -> Counts:
    """The counts of what `_batches` gives, from the documents as Python has them."""
    pool = _pool()
    counts: Counts = Counter()
    for place, document in enumerate(pool):
        times = documents // POOL
        if place % RARE_EVERY == 0:
            times = 0  # dealt out with the rare field
            _count({**document, "rare": True}, (), documents // POOL, counts)
        _count(document, (), times, counts)
    return +counts


def _count(value: Any, path: tuple[str, ...], times: int, counts: Counts) -> None:
    items = value.items() if isinstance(value, dict) else (("[]", each) for each in value)
    for name, inner in items:
        counts[(*path, name), _alias(inner)] += times
        if isinstance(inner, dict | list):
            _count(inner, (*path, name), times, counts)


def _alias(value: Any) -> str:
    named: dict[type, str] = {
        dict: "object",
        list: "array",
        str: "string",
        bool: "bool",
        Int64: "long",
        int: "int",
        float: "double",
        Decimal128: "decimal",
        datetime: "date",
        ObjectId: "objectId",
        type(None): "null",
    }
    return named[type(value)]


def _many_paths() -> tuple[Shape, Counts]:
    """The shape of documents with 10,000 different field paths, a dozen each, and the counts expected."""
    draw = random.Random(2)
    paths = [(f"group{group}", f"field{number}") for group in range(100) for number in range(99)]
    documents = []
    counts: Counts = Counter()
    for place in range(0, len(paths), 2):
        document: dict[str, Any] = {}
        for group, name in [*paths[place : place + 2], *draw.sample(paths, 10)]:
            document.setdefault(group, {})[name] = draw.choice([1, "x", None])
        documents.append(document)
        _count(document, (), 1, counts)
    shape = infer("paths", [b"".join(map(bson.encode, documents))])
    if shape.paths != PATHS:
        raise RuntimeError(f"{shape.paths:,} paths were told apart, not {PATHS:,}")
    return shape, counts


def _differences(shape: Shape, expected: Counts) -> int:
    """In how many paths and types the counts differ."""
    found = {(path, kind): times for path, node in shape.walk() for kind, times in node.types.items()}
    return sum(found.get(key) != expected.get(key) for key in found.keys() | expected.keys())


# the figures


def _in_a_process(figure: str, documents: int) -> dict[str, Any]:
    """What a fresh process measured."""
    done = subprocess.run(
        [sys.executable, __file__, figure, str(documents)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the measurement of {figure} failed: {done.stderr.strip()}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def _measure_rates(documents: int) -> dict[str, Any]:
    """Documents a second inferred, and decoded alone, in turn over the same batches; and the counts."""
    decoding = dealing = 0.0

    def in_turn() -> Iterator[bytes]:
        nonlocal decoding, dealing
        started = time.perf_counter()
        for batch in _batches(documents):
            dealt = time.perf_counter()
            bson.decode_all(batch)
            decoded = time.perf_counter()
            dealing += dealt - started
            decoding += decoded - dealt
            yield batch
            started = time.perf_counter()

    began = time.perf_counter()
    shape = infer("generated", in_turn(), of=documents)
    inferring = time.perf_counter() - began - decoding - dealing
    expected = _expected(documents)
    return {
        "inferred": documents / inferring,
        "decoded": documents / decoding,
        "wrong": _differences(shape, expected),
        "counted": len(expected),
        "rare": shape.node("rare").count,
    }


def _measure_memory(documents: int) -> dict[str, Any]:
    infer("generated", _batches(documents), of=documents)
    return {"peak_mb": _peak_mb()}


# the peer

_PEER_PROGRAM = """
const fs = require("fs"), BSON = require("bson"), { parseSchema } = require("mongodb-schema");
const raw = fs.readFileSync(process.argv[2]);
async function* documents() {
  for (let at = 0; at < raw.length; ) {
    const size = raw.readInt32LE(at);
    yield BSON.deserialize(raw.subarray(at, at + size), { promoteValues: false });
    at += size;
  }
}
const counts = [];
function walk(types, path) {
  for (const type of types) {
    if (type.name === "Undefined") continue; // where a document lacks the field
    counts.push([path, type.name, type.count]);
    if (type.fields) for (const field of type.fields) walk(field.types, [...path, field.name]);
    if (type.types) walk(type.types, [...path, "[]"]);
  }
}
(async () => {
  const started = process.hrtime.bigint();
  const schema = await parseSchema(documents(), { storeValues: false });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  for (const field of schema.fields) walk(field.types, [field.name]);
  console.log(JSON.stringify({ seconds, documents: schema.count, counts }));
})();
"""
_PEER_TYPES = {
    "Document": "object",
    "Array": "array",
    "String": "string",
    "Boolean": "bool",
    "Int32": "int",
    "Long": "long",
    "Double": "double",
    "Decimal128": "decimal",
    "Date": "date",
    "ObjectId": "objectId",
    "Null": "null",
}


def _peer_rows() -> list[dict[str, Any]]:
    """The same file of documents through the peer: counts that differ, and both rates."""
    label = f"{PEER} on the same {PEER_DOCUMENTS:,} documents"
    if shutil.which("node") is None or shutil.which("npm") is None:
        return [_row(f"{label}: not compared", 0, "counts", True, peer="there is no node with npm here")]
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as name:
        folder = Path(name)
        data = b"".join(_batches(PEER_DOCUMENTS))
        (folder / "documents.bson").write_bytes(data)
        (folder / "peer.js").write_text(_PEER_PROGRAM, encoding="utf-8")
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"{PEER}@{PEER_VERSION}"]
        installed = subprocess.run(
            [*command, "bson@7"], cwd=folder, capture_output=True, text=True, check=False
        )
        if installed.returncode:
            return [_row(f"{label}: not compared", 0, "counts", True, peer="npm could not install it here")]
        done = subprocess.run(
            ["node", "peer.js", "documents.bson"], cwd=folder, capture_output=True, text=True, check=True
        )
    peer = json.loads(done.stdout)
    started = time.perf_counter()
    shape = infer("generated", [data])
    rate = PEER_DOCUMENTS / (time.perf_counter() - started)
    counted: Counts = Counter({(tuple(path), _PEER_TYPES[kind]): n for path, kind, n in peer["counts"]})
    wrong = _differences(shape, counted)
    named = f"{PEER} {PEER_VERSION}"
    return [
        _row(f"{label}: counts that differ", wrong, "counts", wrong == 0, peer=named, limit=0),
        _row(
            f"{label}: rate",
            round(rate),
            "documents/s",
            True,
            peer=named,
            peer_value=round(peer["documents"] / peer["seconds"]),
        ),
    ]


def main() -> int:
    """Print the rows, or as a process of its own one figure; 1 where a limit is broken."""
    if len(sys.argv) > 1:
        measure = {"rates": _measure_rates, "memory": _measure_memory}[sys.argv[1]]
        print(json.dumps(measure(int(sys.argv[2]))))
        return 0
    found = rows()
    for row in found:
        beside = f"{row['peer']} {row['peer_value'] or ''}".strip()
        limit = "" if row["limit"] is None else f"limit {row['limit']:g}"
        broken = "" if row["ok"] else "  LIMIT BROKEN"
        print(f"{row['benchmark']:66} {row['value']:>9g} {row['unit']:12} {limit:14} {beside}{broken}")
    return 0 if all(row["ok"] for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
