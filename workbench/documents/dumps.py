"""A database of collections from files: an archive or a folder of mongodump, BSON, exports of mongoexport.

Everything is read through once when it is opened, so that counts are exact and what is damaged is
said before anything is concluded from it; after that, a collection is read as often as wanted, with
memory that does not depend on its size. What cannot be read again without the work of the first time
(a compressed archive, JSON) is written as plain BSON to a temporary folder meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from workbench.catalog.collections import Collection, CollectionCatalog
from workbench.documents.archives import BUCKETS, MAGIC, Namespace, read_archive
from workbench.documents.bson_files import (
    Place,
    Spill,
    StoredDocuments,
    counted,
    is_gzip,
    open_content,
    reading,
)
from workbench.documents.exports import exported_documents
from workbench.documents.metadata import described, parsed_metadata
from workbench.errors import SourceError, printable
from workbench.source import EXPORT_SUFFIXES, is_archive

_SERVER_DATABASES = frozenset({"admin", "config", "local"})
_COPIED_BYTES = 4 << 20


@dataclass
class Dump:
    """What was found in files. *catalog* has exact counts; figures that only a server has are None."""

    title: str
    catalog: CollectionCatalog
    _stored: Mapping[str, StoredDocuments] = field(default_factory=dict, repr=False)

    def batches(self, collection: str, *, sample: int | None = None, seed: int = 1) -> Iterator[bytes]:
        """The documents of *collection* as concatenated BSON, about a mebibyte at a time, in file order.

        *sample* is how many, drawn at random without replacement, the same ones for the same *seed*.
        A view has none, nor has a time series: its measurements are in buckets that only a server
        unpacks. Raises KeyError for a collection that the catalog does not have, DumpError.
        """
        self.catalog.collection(collection)
        stored = self._stored.get(collection)
        return stored.batches(sample=sample, seed=seed) if stored else iter(())


@dataclass
class _Found:
    """The collections of the files, by namespace, before they have the names that the catalog uses."""

    server: str = ""
    metadata: dict[Namespace, dict[str, Any]] = field(default_factory=dict)
    types: dict[Namespace, str] = field(default_factory=dict)
    stored: dict[Namespace, StoredDocuments] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def namespaces(self) -> list[Namespace]:
        return sorted({*self.metadata, *self.stored})


@contextlib.contextmanager
def open_dump(path: Path) -> Iterator[Dump]:
    """Read the dump at *path*: an archive, a folder, a .bson file or an export, any of them gzip's.

    Raises DumpError, which names file, collection and place, for whatever is not whole; SourceError
    for a path that holds no dump.
    """
    with contextlib.closing(Spill()) as spill:
        yield _dump(path.name or str(path), _found(path, spill))


def _found(path: Path, spill: Spill) -> _Found:
    if path.is_dir():
        return _in_folder(path, spill)
    if not path.is_file():
        raise SourceError(f"{path}: there is no such file: name a dump or a folder that mongodump wrote")
    found = _Found()
    if path.name.endswith((".archive", ".archive.gz")) or is_archive(path):
        _take_archive(found, path, spill)
    elif _is_bson(path):
        _take_bson(found, ("", _stem(path)), path)
        if (beside := _metadata_beside(path)) is not None:
            _take_metadata(found, ("", _stem(path)), beside)
    elif path.name.endswith(EXPORT_SUFFIXES):
        _take_export(found, ("", _stem(path)), path, spill)
    else:
        raise Place(path).error(
            f"is not a dump: an archive begins with {MAGIC.hex(' ')}, a file of documents is named "
            ".bson, .json, .jsonl or .ndjson, with or without .gz"
        )
    return found


def _in_folder(folder: Path, spill: Spill) -> _Found:
    """The dump in *folder*: its files are one database's, its folders are a database each."""
    found = _Found()
    _take_folder(found, folder, folder.resolve().name, spill)
    for below in sorted(each for each in _listed(folder) if each.is_dir()):
        _take_folder(found, below, below.name, spill)
    if not found.namespaces():
        raise SourceError(f"{folder}: there is no BSON and no JSON in it: name a folder that mongodump wrote")
    return found


def _take_folder(found: _Found, folder: Path, database: str, spill: Spill) -> None:
    files = sorted(each for each in _listed(folder) if each.is_file())
    names: dict[str, str] = {}  # of the collections whose files say only the beginning of theirs
    for path in files:
        if path.name.removesuffix(".gz") == "prelude.json":
            found.server = _prelude_server(path) or found.server
        elif path.name.removesuffix(".gz").endswith(".metadata.json"):
            names[_stem(path)] = _take_metadata(found, (database, _stem(path)), path)
    for path in files:
        if path.name.removesuffix(".gz") == "oplog.bson":
            found.left_out.append(f"{path.name}: the operations during the dump are not read")
        elif _is_bson(path):
            _take_bson(found, (database, _whole_name(_stem(path), names)), path)
        elif _is_export(path):
            _take_export(found, (database, _stem(path)), path, spill)


def _whole_name(stem: str, names: Mapping[str, str]) -> str:
    buckets = BUCKETS if stem.startswith(BUCKETS) else ""
    stem = stem.removeprefix(buckets)
    return buckets + names.get(stem, stem)


def _listed(folder: Path) -> list[Path]:
    try:
        # ._ begins what macOS keeps beside a file on a disk of another system
        return [each for each in folder.iterdir() if not each.name.startswith("._")]
    except OSError as exc:
        raise SourceError(f"{folder}: cannot be read: {exc.strerror}") from exc


def _is_bson(path: Path) -> bool:
    return path.name.endswith((".bson", ".bson.gz"))


def _is_export(path: Path) -> bool:
    return path.name.endswith(EXPORT_SUFFIXES) and not path.name.removesuffix(".gz").endswith(
        (".metadata.json", "prelude.json")
    )


def _stem(path: Path) -> str:
    """The collection that a file is named after; mongodump percent-encodes what a file's name cannot have."""
    name = os.fsencode(path.name).decode("utf-8", "replace").removesuffix(".gz")
    for suffix in (".metadata.json", ".bson", ".json", ".jsonl", ".ndjson"):
        if name.endswith(suffix):
            return unquote(name.removesuffix(suffix))
    return unquote(name)


def _metadata_beside(path: Path) -> Path | None:
    stem = path.name.removesuffix(".gz").removesuffix(".bson")
    names = [path.with_name(f"{stem}.metadata.json{suffix}") for suffix in ("", ".gz")]
    return next((each for each in names if each.is_file()), None)


def _take_metadata(found: _Found, namespace: Namespace, path: Path) -> str:
    """Take a metadata.json; returns the collection's name, of which a file's may only be the beginning.

    Source: util.EscapeCollectionName of mongo-tools, for names above 238 bytes.
    """
    place = Place(path, _joined_name(namespace))
    with contextlib.closing(open_content(path)) as stream, reading(place, 0):
        raw = stream.read()
    try:
        fields = parsed_metadata(raw.decode("utf-8-sig"), place)
    except UnicodeDecodeError as exc:
        raise place.error(f"its metadata are no UTF-8 text: {exc.reason}", offset=exc.start) from exc
    database, stem = namespace
    name = str(fields.get("collectionName") or stem)
    found.metadata[database, name] = fields
    return name


def _take_bson(found: _Found, namespace: Namespace, path: Path) -> None:
    place = _new_place(found, namespace, path)
    _require_gzip(path)
    found.stored[namespace] = counted(place, partial(open_content, path))


def _take_export(found: _Found, namespace: Namespace, path: Path, spill: Spill) -> None:
    place = _new_place(found, namespace, path)
    _require_gzip(path)
    stored = StoredDocuments(place, lambda: written.path.open("rb"))
    with contextlib.closing(open_content(path)) as stream, spill.file(place) as written:
        for document in exported_documents(stream, place):
            written.write(document)
            stored.add(stored.size_bytes, len(document), 1)
    found.stored[namespace] = stored


def _new_place(found: _Found, namespace: Namespace, path: Path) -> Place:
    place = Place(path, _joined_name(namespace))
    if namespace in found.stored:
        raise place.error(f"holds the same collection as {found.stored[namespace].place.path.name}: keep one")
    return place


def _require_gzip(path: Path) -> None:
    if path.name.endswith(".gz") and not is_gzip(path):
        raise Place(path).error("is named .gz and is not gzip: it is truncated or wrongly named")


def _take_archive(found: _Found, path: Path, spill: Spill) -> None:
    opened = partial(open_content, path)
    if is_gzip(path):
        place = Place(path)
        with contextlib.closing(opened()) as stream, spill.file(place) as written:
            copied = 0
            while True:
                with reading(place, copied):
                    data = stream.read(_COPIED_BYTES)
                if not data:
                    break
                written.write(data)
                copied += len(data)
        opened = partial(written.path.open, "rb")
    archive = read_archive(path, opened)
    found.server = archive.header.server_version
    for declared in archive.metadata:
        place = Place(path, _joined_name(declared.namespace))
        found.metadata[declared.namespace] = parsed_metadata(declared.metadata, place)
        found.types[declared.namespace] = declared.type
    found.stored.update(archive.stored)


def _prelude_server(path: Path) -> str:
    """The server's version in the prelude.json that newer versions of mongodump add to a folder."""
    with contextlib.closing(open_content(path)) as stream, reading(Place(path), 0):
        raw = stream.read()
    try:
        fields = json.loads(raw)
    except ValueError as exc:
        raise Place(path).error(f"is not JSON: {exc}") from exc
    return str(fields.get("ServerVersion") or "") if isinstance(fields, dict) else ""


def _joined_name(namespace: Namespace) -> str:
    return ".".join(each for each in namespace if each)


def _dump(title: str, found: _Found) -> Dump:
    namespaces, left_out = _of_the_user(found)
    databases = sorted({database for database, _ in namespaces})
    collections: list[Collection] = []
    stored: dict[str, StoredDocuments] = {}
    for namespace in namespaces:
        name = _joined_name(namespace) if len(databases) > 1 else namespace[1]
        collection = _collection(name, namespace, found)
        collections.append(collection)
        if collection.kind == "collection" and namespace in found.stored:
            stored[name] = found.stored[namespace]
        elif collection.kind == "time series":
            left_out.append(
                f"{printable(name)}: the measurements of a time series are in buckets that only a server "
                "unpacks: restore the dump and name the server's URL to have their shape"
            )
    catalog = CollectionCatalog(
        database=", ".join(filter(None, databases)) or title,
        server=f"MongoDB {found.server}" if found.server[:1].isdigit() else "files",
        topology="files",
        collections=tuple(collections),
        left_out=tuple(left_out),
    )
    return Dump(title, catalog, stored)


def _collection(name: str, namespace: Namespace, found: _Found) -> Collection:
    """A collection's facts and figures: of a view none, of a time series the size of its buckets."""
    fields = found.metadata.get(namespace, {})
    collection = described(name, fields, kind=found.types.get(namespace, ""))
    database, plain = namespace
    if collection.kind == "view":
        return collection
    if collection.kind == "time series":
        buckets = found.stored.get((database, BUCKETS + plain)) or found.stored.get(namespace)
        return replace(collection, size_bytes=buckets.size_bytes if buckets else None)
    stored = found.stored.get(namespace)
    return replace(
        collection,
        documents=stored.documents if stored else 0,
        size_bytes=stored.size_bytes if stored else 0,
    )


def _of_the_user(found: _Found) -> tuple[list[Namespace], list[str]]:
    """The namespaces that are a user's, and a line for each that is the server's own."""
    everything = found.namespaces()
    databases = {database for database, _ in everything}
    servers = _SERVER_DATABASES if databases - _SERVER_DATABASES - {""} else frozenset()
    kept, left_out = [], list(found.left_out)
    for namespace in everything:
        database, name = namespace
        if name.startswith(BUCKETS) and (database, name.removeprefix(BUCKETS)) in found.metadata:
            continue  # they are the time series' own
        if database in servers or name.startswith(("system.", "$admin.")) or namespace == ("", "oplog"):
            left_out.append(f"{printable(_joined_name(namespace))}: is the server's own")
        else:
            kept.append(namespace)
    return kept, left_out
