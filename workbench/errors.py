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
        super().__init__(f"{feature} is not available on {engine}: {hint}")


class OutputError(WorkbenchError):
    """The report cannot be written where it was asked for."""

    exit_status = 2


class NotebookFailed(WorkbenchError):
    """A notebook raised an error; the message carries the cell and the reason."""
