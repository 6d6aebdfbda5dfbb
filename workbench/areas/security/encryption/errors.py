"""What can go wrong with keys and encrypted values. No message holds a key, a value or its plaintext."""

from __future__ import annotations

from workbench.errors import BadInput, WorkbenchError


class EncryptionError(WorkbenchError):
    """The base of what goes wrong with keys and encrypted values."""


class ValueRefused(EncryptionError):
    """A stored value is not authentic here: changed, moved to another row or column, or no value of ours."""


class KeyUnavailable(EncryptionError):
    """A key is not there: unknown, destroyed, or its provider does not unwrap it."""


class NonceBudgetSpent(EncryptionError):
    """A data key has sealed as many values as random nonces allow: rotate it."""


class KeyFileRefused(BadInput):
    """A key file cannot be used: readable by others, not ours, or not a key file."""
