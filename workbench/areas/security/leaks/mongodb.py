"""The places of MongoDB in which a value or a key may stand in clear, and the same hunt there."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database

from workbench.areas.security.encryption.keys import derived
from workbench.areas.security.encryption.mongodb import FieldEncryption, local_key_service
from workbench.areas.security.encryption.providers import LocalFile
from workbench.areas.security.leaks.files import parts
from workbench.areas.security.leaks.hunting import hunt
from workbench.areas.security.leaks.model import Content, Hunt, Marker, PlaceReader, Places
from workbench.areas.security.leaks.planting import planted_word
from workbench.engines.mongo import Document, MongoServer, private_mongod

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
TALKATIVE = (  # files that can be searched, and every operation in log and profiler
    "--wiredTigerCollectionBlockCompressor=none",
    "--wiredTigerJournalCompressor=none",
    "--wiredTigerIndexPrefixCompression=false",
    "--profile=2",
    "--slowms=0",
)


@dataclass(frozen=True)
class MongoGround:
    """A database of a mongod whose files can be read: *home* holds its data folders and logs.

    Files of a server that compresses them hide what is in them: of such a one only what is read proves.
    """

    server: MongoServer
    database: str
    home: Path

    def places(self) -> Places:
        """Every place by its name; each is read when it is called."""
        found: dict[str, PlaceReader] = {
            "documents": partial(self._documents, profiler=False),
            "profiler": partial(self._documents, profiler=True),
            "oplog": self._oplog,
            "collection files": partial(self._files, "data*/**/collection-*.wt"),
            "index files": partial(self._files, "data*/**/index-*.wt"),
            "journal": partial(self._files, "data*/journal/*"),
            "server log": partial(self._files, "server*.log"),
        }
        return found

    def _documents(self, *, profiler: bool) -> Content:
        with self.server.client() as client:
            database = client[self.database]
            for name in database.list_collection_names():
                if (name == "system.profile") == profiler:
                    yield name, _raw(database, name, {})

    def _oplog(self) -> Content:
        with self.server.client() as client:
            entries = {"ns": {"$regex": f"^{re.escape(self.database)}[.]"}}
            yield "local.oplog.rs", _raw(client["local"], "oplog.rs", entries)

    def _files(self, pattern: str) -> Content:
        with self.server.client() as client:
            client.admin.command("fsync")
        for file in sorted(self.home.glob(pattern)):
            yield from parts(file, str(file.relative_to(self.home)))


def _raw(database: Database[Document], collection: str, wanted: Document) -> bytes:
    found: Collection[RawBSONDocument] = database.get_collection(collection, codec_options=_RAW)  # type: ignore[assignment]
    return b"".join(each.raw for each in found.find(wanted))


def mongo_hunt_run() -> Hunt:
    """Values and keys planted in clear and sealed in a private mongod, and every place searched."""
    with (
        private_mongod(arguments=TALKATIVE) as (server, cluster),
        server.scratch_database(label="hunt") as database,
        tempfile.TemporaryDirectory() as folder,
    ):
        ground = MongoGround(server, database.name, cluster.home)
        controls = _planted_in_clear(database, ground)
        with _planted_sealed(database, server, Path(folder)) as sealed:
            return hunt(ground.places(), [*controls, *sealed], engine=server.description)


def _planted_in_clear(database: Database[Document], ground: MongoGround) -> list[Marker]:
    value = planted_word("value")
    _work(database, "clear_people", [value] * 50)
    return [Marker("clear value", value.encode(), "in a plain field", frozenset(ground.places()))]


@contextlib.contextmanager
def _planted_sealed(
    database: Database[Document], server: MongoServer, folder: Path
) -> Iterator[list[Marker]]:
    value = planted_word("value")
    keys = LocalFile(folder / "keys.json")
    with FieldEncryption(server, local_key_service(keys), vault=f"{database.name}.__keyVault") as fields:
        fields.make_vault()
        fields.make_key("people")
        stored = [
            fields.encrypt(value, key="people", kind="deterministic" if number % 2 else "random")
            for number in range(50)
        ]
        _work(database, "sealed_people", stored)
        former = keys.material()
        keys.rotate()
        fields.rewrap(local_key_service(keys))
        ciphertext = Marker(  # the server's log has ### in its stead
            "ciphertext",
            bytes(stored[1] or b""),
            "what is stored in its stead",
            frozenset({"documents", "oplog", "collection files", "index files", "journal", "profiler"}),
        )
        secrets = [
            Marker(
                f"master key {number}",
                derived(key, b"MongoDB master key", length=96),
                "derived from the key file",
            )
            for number, key in enumerate({**former, **keys.material()}.values(), 1)
        ]
        yield [Marker("sealed value", value.encode(), "encrypted by the client"), ciphertext, *secrets]


def _work(database: Database[Document], name: str, values: Sequence[object]) -> None:
    """Insert, index, update, look up: what leaves traces."""
    people = database[name]
    people.create_index("ssn")
    people.insert_many([{"_id": number, "ssn": value} for number, value in enumerate(values)])
    people.update_one({"_id": 1}, {"$set": {"ssn": values[1], "seen": True}})
    for value in values[:2]:
        list(people.find({"ssn": value}))
