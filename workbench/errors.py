"""What can go wrong: one base, one class per way a caller can react.

Every message says what, where and what to do, in one line.
"""

from __future__ import annotations


class WorkbenchError(Exception):
    """The base of all errors that the workbench raises on purpose."""

    exit_status = 1


class BadInput(WorkbenchError):
    """The caller asked for something that cannot be: correct the call."""

    exit_status = 2


class ParameterError(BadInput):
    """A notebook parameter that is unknown or of the wrong type."""


class SourceError(BadInput):
    """The source cannot be read: a missing file, a wrong URL, an encoding."""


class SourceUnreachable(SourceError):
    """The named server does not answer or refuses the login."""


class DumpError(SourceError):
    """A dump or an export cannot be read whole. *path*, *collection*, *offset* or *line* say where.

    *offset* counts the bytes of the content (of a compressed file: once it is decompressed), *line*
    and *column* the characters of JSON, from 1.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str,
        collection: str = "",
        offset: int | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        self.reason = message
        self.path = path
        self.collection = collection
        self.offset = offset
        self.line = line
        self.column = column
        where = printable(path)
        if line is not None:
            where += f":{line}" + (f":{column}" if column is not None else "")
        if collection:
            where += f", collection {printable(collection)}"
        if offset is not None:
            where += f", byte {offset:,}"
        super().__init__(f"{where}: {message}")


def printable(name: str) -> str:
    """*name* for a message: one line, as it is, or quoted with escapes where a character has no picture."""
    return name if name.isprintable() else repr(name)


class NotAuthorized(SourceError):
    """The login may not read what was asked for; the rest of the source may still be read."""


class SourceTimeout(SourceError):
    """The source took longer than the time limit for one command."""


class SchemaNotFound(SourceError):
    """The named schema is not in the database."""


class ScriptError(SourceError):
    """A schema file cannot be run. `path` and `line` say where, `reason` what alone."""

    def __init__(self, message: str, *, path: str, line: int | None = None) -> None:
        self.reason = message
        self.path = path
        self.line = line
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")


class ScriptRefused(ScriptError):
    """The file asks for something that other people's code may not do here (a shell, a file)."""


class ScriptFailed(ScriptError):
    """PostgreSQL refused a statement of the file, or it ran into the time-out."""


class EngineError(WorkbenchError):
    """The engine that should prove a claim cannot be started or used."""


class ServerTooOld(EngineError):
    """The server is older than the oldest one that the workbench supports."""


class FeatureUnavailable(EngineError):
    """The engine lacks a feature; *hint* says how to get it."""

    def __init__(self, feature: str, engine: object, *, hint: str) -> None:
        self.feature = feature
        self.hint = hint
        super().__init__(f"{feature} is not available on {engine}: {hint}")


class OutputError(WorkbenchError):
    """The report cannot be written where it was asked for."""

    exit_status = 2


class NotebookFailed(WorkbenchError):
    """A notebook raised an error; the message carries the cell and the reason."""
