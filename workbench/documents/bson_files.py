"""Raw BSON in files: where each document ends, batches of them, a number of them at random.

Only lengths are read here, never fields, so that a document costs the same whatever it holds. Every
length is checked against the rules of bsonspec.org: 5 bytes or more, a zero byte at the end, and no
more than a server stores (16 MiB and, for what it writes itself, 16 KiB more).
"""

from __future__ import annotations

import contextlib
import gzip
import random
import shutil
import struct
import tempfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from workbench.errors import DumpError, SourceError

SMALLEST = 5
LARGEST = 16 * 1024 * 1024 + 16 * 1024
BATCH_BYTES = 1 << 20
TERMINATOR = -1  # of an archive, where a document's length would be

_LENGTH = struct.Struct("<i")
_KEPT_FREE = 256 << 20  # bytes that are left free for everybody else
_CHECK_ROOM_EVERY = 64 << 20

Batch = tuple[bytes, list[int]]  # concatenated documents, and where each of them ends


@dataclass(frozen=True)
class Place:
    """The file and the collection that an error names."""

    path: Path
    collection: str = ""

    def error(
        self, reason: str, *, offset: int | None = None, line: int | None = None, column: int | None = None
    ) -> DumpError:
        return DumpError(
            reason, path=str(self.path), collection=self.collection, offset=offset, line=line, column=column
        )


def is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def open_content(path: Path) -> BinaryIO:
    """The bytes of *path*, decompressed where they are gzip's. Raises DumpError for an unreadable file."""
    try:
        if is_gzip(path):
            return gzip.open(path)  # type: ignore[return-value]
        return path.open("rb")
    except OSError as exc:
        raise Place(path).error(f"cannot be read: {exc.strerror}") from exc


class Documents:
    """The documents of a stream through a buffer of constant size (or of the one document that is larger).

    *position* counts the bytes of the content; *end* is where to stop, None for the end of the file.
    """

    def __init__(self, stream: BinaryIO, place: Place, *, offset: int = 0, end: int | None = None) -> None:
        self.place = place
        self._stream = stream
        self._end = end
        self._buffer = b""
        self._at = 0
        self._offset = offset  # of the buffer's first byte

    @property
    def position(self) -> int:
        return self._offset + self._at

    def read(self, count: int) -> bytes:
        """*count* bytes, or fewer at the end of the file."""
        self._holds(count)
        taken = self._buffer[self._at : self._at + count]
        self._at += len(taken)
        return taken

    def length(self) -> int | None:
        """The length that the next document declares; None where the file ends. Takes nothing."""
        if self._holds(4):
            return int(_LENGTH.unpack_from(self._buffer, self._at)[0])
        if len(self._buffer) == self._at:
            return None
        raise self._error("ends in the middle of a document's length: it is truncated; make or copy it again")

    def document(self) -> bytes:
        """The next document. Raises DumpError where there is none."""
        length = self._require_document()
        taken = self._buffer[self._at : self._at + length]
        self._at += length
        return taken

    def batch(self) -> Batch:
        """The next document and those behind it that are in the buffer as a whole."""
        self._require_document()
        ends: list[int] = []
        stop = _ends_of_documents(self._buffer, self._at, ends)
        taken = self._buffer[self._at : stop]
        if self._at:
            ends = [end - self._at for end in ends]
        self._at = stop
        return taken, ends

    def batches(self) -> Iterator[Batch]:
        """All that is left, to the end."""
        while self.length() is not None:
            yield self.batch()

    def _require_document(self) -> int:
        length = self.length()
        if length is None:
            raise self._error("ends where a document is expected: it is truncated; make or copy it again")
        if not SMALLEST <= length <= LARGEST:
            raise self._error(
                f"a document declares a length of {length:,} bytes (BSON has {SMALLEST} to {LARGEST:,}): "
                "the file is damaged or is not BSON"
            )
        if not self._holds(length):
            raise self._error(
                f"a document of {length:,} bytes begins here and {len(self._buffer) - self._at:,} bytes are "
                "left: the file is truncated; make or copy it again"
            )
        if self._buffer[self._at + length - 1]:
            raise self._error(
                f"a document declares {length:,} bytes and does not end there: the file is damaged"
            )
        return length

    def _holds(self, count: int) -> bool:
        """Whether *count* bytes are ahead; reads until they are."""
        if len(self._buffer) - self._at >= count:
            return True
        parts = [self._buffer[self._at :]]
        held = len(parts[0])
        self._offset += self._at
        self._at = 0
        while held < count:
            parts.append(self._more(max(BATCH_BYTES, count - held), held))
            held += len(parts[-1])
            if not parts[-1]:
                break
        self._buffer = b"".join(parts)
        return held >= count

    def _more(self, wanted: int, held: int) -> bytes:
        at = self._offset + held
        if self._end is not None:
            wanted = min(wanted, self._end - at)
        with reading(self.place, at):
            return self._stream.read(wanted) if wanted > 0 else b""

    def _error(self, reason: str) -> DumpError:
        return self.place.error(reason, offset=self.position)


def _ends_of_documents(buffer: bytes, at: int, ends: list[int]) -> int:
    """Append where each whole document of *buffer* from *at* ends; returns where no more begins."""
    length_at, add = _LENGTH.unpack_from, ends.append
    last = len(buffer) - SMALLEST
    while at <= last:
        (length,) = length_at(buffer, at)
        after = at + length
        if not SMALLEST <= length <= LARGEST or after - SMALLEST > last or buffer[after - 1]:
            break
        add(after)
        at = after
    return at


@contextlib.contextmanager
def reading(place: Place, offset: int) -> Iterator[None]:
    """What a file or gzip has to say becomes a DumpError that names *place* and *offset*."""
    try:
        yield
    except EOFError as exc:
        raise place.error(
            "the gzip data end before their end mark: the file is truncated; make or copy it again",
            offset=offset,
        ) from exc
    except (gzip.BadGzipFile, zlib.error) as exc:
        raise place.error(f"the gzip data are damaged ({exc}): make or copy it again", offset=offset) from exc
    except OSError as exc:
        raise place.error(f"cannot be read: {exc.strerror or exc}", offset=offset) from exc


@dataclass
class StoredDocuments:
    """The documents of one collection: runs of bytes of the content that *opened* gives.

    *runs* holds offset and length in turn; *documents* and *size_bytes* are what was counted in them.
    """

    place: Place
    opened: Callable[[], BinaryIO]
    runs: array[int] = field(default_factory=lambda: array("q"))
    documents: int = 0
    size_bytes: int = 0

    def add(self, offset: int, size: int, documents: int) -> None:
        """A further run; one that follows the last one closely makes it longer."""
        if self.runs and self.runs[-2] + self.runs[-1] == offset:
            self.runs[-1] += size
        else:
            self.runs.extend((offset, size))
        self.documents += documents
        self.size_bytes += size

    def batches(self, *, sample: int | None = None, seed: int = 1) -> Iterator[bytes]:
        """All documents, or *sample* of them drawn without replacement by *seed*, in their order.

        Each is concatenated BSON of about a mebibyte, or one document that is larger. Raises
        DumpError also where the file is no longer what was counted.
        """
        if sample is None or sample >= self.documents:
            yield from _joined(batch for batch, _ in self._read())
            return
        picks = sorted(random.Random(seed).sample(range(self.documents), sample))  # noqa: S311 - no secret
        yield from _joined(_picked(self._read(), picks))

    def _read(self) -> Iterator[Batch]:
        seen = 0
        with contextlib.closing(self.opened()) as stream:
            for offset, size in zip(self.runs[::2], self.runs[1::2], strict=True):
                with reading(self.place, offset):
                    stream.seek(offset)
                documents = Documents(stream, self.place, offset=offset, end=offset + size)
                for batch in documents.batches():
                    seen += len(batch[1])
                    yield batch
        if seen != self.documents:
            raise self.place.error(
                f"has {seen:,} documents and had {self.documents:,} when it was opened: open it again"
            )


def counted(place: Place, opened: Callable[[], BinaryIO]) -> StoredDocuments:
    """The documents of a file that holds nothing else, read through once."""
    stored = StoredDocuments(place, opened)
    with contextlib.closing(opened()) as stream:
        documents = Documents(stream, place)
        for batch, ends in documents.batches():
            stored.add(documents.position - len(batch), len(batch), len(ends))
    return stored


def _picked(batches: Iterator[Batch], picks: Sequence[int]) -> Iterator[bytes]:
    """The documents whose places, counted from 0, are *picks*, which are in order."""
    first, chosen = 0, 0
    for batch, ends in batches:
        behind = first + len(ends)
        while chosen < len(picks) and picks[chosen] < behind:
            which = picks[chosen] - first
            yield batch[ends[which - 1] if which else 0 : ends[which]]
            chosen += 1
        first = behind


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """*pieces* put together until they are worth a call of whoever reads them."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        if held and size + len(piece) > BATCH_BYTES:
            yield b"".join(held)
            held, size = [], 0
        held.append(piece)
        size += len(piece)
    if held:
        yield b"".join(held)


class Spill:
    """A temporary folder for what can only be read again once it is written out; gone with `close`."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files = 0

    @contextlib.contextmanager
    def file(self, place: Place) -> Iterator[SpillFile]:
        """A new file to write to. Raises DumpError where the disk has no room for it."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="workbench-")
        self._files += 1
        path = Path(self._folder.name) / f"{self._files}.bson"
        with path.open("wb") as file:
            yield SpillFile(path, file, place)

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()


@dataclass
class SpillFile:
    path: Path
    _file: BinaryIO
    _place: Place
    _written: int = 0
    _checked: int = -_CHECK_ROOM_EVERY

    def write(self, data: bytes) -> None:
        if self._written - self._checked >= _CHECK_ROOM_EVERY:
            self._checked = self._written
            if shutil.disk_usage(self.path.parent).free < _KEPT_FREE + _CHECK_ROOM_EVERY:
                raise self._no_room()
        try:
            self._file.write(data)
        except OSError as exc:
            raise self._no_room() from exc
        self._written += len(data)

    def _no_room(self) -> SourceError:
        return self._place.error(
            f"its content does not fit into {self.path.parent.parent} ({self._written:,} bytes are written): "
            "free some room there, or name another folder in TMPDIR"
        )
