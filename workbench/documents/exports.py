"""The JSON of mongoexport as BSON: a document a line, one after the other, or an array of them.

Extended JSON of version 1 and 2, canonical and relaxed. What JSON cannot tell apart stays so: in the
relaxed form, whole numbers are int32 where they fit.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import bson
from bson import json_util
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError

from workbench.documents.bson_files import LARGEST, Place, reading

_CHARACTERS = 1 << 20
_LARGEST_TEXT = 256 << 20  # characters of one document: canonical JSON is a few times as long as BSON
_SPACE = " \t\r\n"
_NEWLINE = "\n"
# dates as milliseconds, since Python has none after the year 9999; UUIDs as the bytes that they are
_OPTIONS = json_util.JSONOptions(
    json_mode=json_util.JSONMode.RELAXED,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
)
_decoder = json.JSONDecoder(
    object_pairs_hook=functools.partial(json_util.object_pairs_hook, json_options=_OPTIONS)
)
_REFUSED = (BSONError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError)


def exported_documents(stream: BinaryIO, place: Place) -> Iterator[bytes]:
    """The documents of an export as BSON, one at a time.

    Raises DumpError, with line and column, for what is no JSON and for a document that BSON cannot hold.
    """
    text = _Text(stream, place)
    array = text.next_character() == "["
    if array:
        text.take("[")
    first = True
    while (character := text.next_character()) is not None:
        if array and character == "]":
            text.take("]")
            if (character := text.next_character()) is not None:
                raise text.error(f"{character!r} follows the end of the array")
            return
        if array and not first:
            if character != ",":
                raise text.error(f"{character!r} follows a document: a comma or ] is expected")
            text.take(",")
        yield text.document()
        first = False
    if array:
        raise text.error("the file ends within the array: it is truncated; make or copy it again")


class _Text:
    """The characters of a file with a look-ahead; knows the line and the column of where it is."""

    def __init__(self, stream: BinaryIO, place: Place) -> None:
        self._place = place
        self._stream = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        self._buffer = ""
        self._at = 0
        self._line = 1  # of the buffer's first character
        self._column = 1

    def next_character(self) -> str | None:
        """The next character that is no space, which is not taken; None at the end."""
        while True:
            buffer, at = self._buffer, self._at
            while at < len(buffer) and buffer[at] in _SPACE:
                at += 1
            self._at = at
            if at < len(buffer):
                return buffer[at]
            if not self._more():
                return None

    def take(self, character: str) -> None:
        self._at += len(character)

    def document(self) -> bytes:
        """The document that begins here, as BSON."""
        character = self.next_character()
        if character is None:
            raise self.error(
                "the file ends where a document is expected: it is truncated; make or copy it again"
            )
        if character != "{":
            raise self.error(f"a document is expected, which begins with {{, and {character!r} was found")
        document, end = self._decoded()
        if not isinstance(document, dict):
            raise self.error(f"a document is expected, and this is a value of type {type(document).__name__}")
        encoded = self._encoded(document)
        self._at = end
        return encoded

    def _decoded(self) -> tuple[Any, int]:
        while True:
            try:
                return _decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as exc:
                if not self._may_be_incomplete(exc) or not self._more(len(self._buffer) - self._at):
                    self._raise_for(exc)
            except RecursionError as exc:
                raise self.error("a document is nested more deeply than can be read") from exc
            except _REFUSED as exc:
                raise self.error(f"a value is no extended JSON: {_reason(exc)}") from exc

    def _may_be_incomplete(self, exc: json.JSONDecodeError) -> bool:
        """Whether what is wrong may only be that the buffer ends: then more of the file tells."""
        if len(self._buffer) - self._at > _LARGEST_TEXT:
            raise self.error(f"a document has more than {_LARGEST_TEXT:,} characters")
        return exc.msg.startswith("Unterminated string") or exc.pos >= len(self._buffer) - len("-Infinity")

    def _raise_for(self, exc: json.JSONDecodeError) -> None:
        ended = exc.pos >= len(self._buffer) or exc.msg.startswith("Unterminated string")
        said = exc.msg[0].lower() + exc.msg[1:]
        raise self.error(
            f"no JSON: {said}" + ("; the file may be truncated" if ended else ""),
            at=min(exc.pos, len(self._buffer)),
        ) from exc

    def _encoded(self, document: dict[str, Any]) -> bytes:
        try:
            encoded = bson.encode(document)
        except RecursionError as exc:
            raise self.error("a document is nested more deeply than can be read") from exc
        except _REFUSED as exc:
            raise self.error(f"a document that BSON cannot hold: {_reason(exc)}") from exc
        if len(encoded) > LARGEST:
            raise self.error(f"a document of {len(encoded):,} bytes: BSON has at most {LARGEST:,}")
        return encoded

    def _more(self, wanted: int = 0) -> bool:
        """Read further characters, at least *wanted* unless the file ends; those that were taken go."""
        try:
            with reading(self._place, self._stream.buffer.tell()):
                more = self._stream.read(max(_CHARACTERS, wanted))
        except UnicodeDecodeError as exc:
            raise self._place.error(
                f"is no UTF-8 text: {exc.reason} (0x{exc.object[exc.start]:02x}) "
                f"behind line {self._line + self._buffer.count(_NEWLINE)}; convert the file"
            ) from exc
        if not more:
            return False
        gone = self._buffer[: self._at]
        lines = gone.count(_NEWLINE)
        self._line += lines
        self._column = len(gone) - gone.rfind(_NEWLINE) if lines else self._column + len(gone)
        self._buffer = self._buffer[self._at :] + more
        self._at = 0
        return True

    def error(self, reason: str, *, at: int | None = None) -> Exception:
        before = self._buffer[: self._at if at is None else at]
        lines = before.count(_NEWLINE)
        return self._place.error(
            reason,
            line=self._line + lines,
            column=len(before) - before.rfind(_NEWLINE) if lines else self._column + len(before),
        )


def _reason(exc: BaseException) -> str:
    words = " ".join(str(exc).split())
    return f"{words[:200]} …" if len(words) > 200 else words or type(exc).__name__
