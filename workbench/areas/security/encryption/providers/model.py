"""What holds the key-encryption keys: a file, or a service that never hands them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class GeneratedKey:
    """A fresh data key, in clear for use and wrapped for storing."""

    plain: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)
    wrapping_key: str


class KeyProvider(Protocol):
    """Wraps data keys with a key-encryption key, the wrapping key.

    *context* is bound to what is wrapped: unwrapping with another one fails. Every method raises
    KeyUnavailable where the service or the key is not there.
    """

    @property
    def name(self) -> str:
        """Which provider, for the stored key and for messages: ``local file``, ``AWS KMS`` …"""

    @property
    def key_id(self) -> str:
        """The wrapping key that wraps now."""

    def generate(self, context: Mapping[str, str]) -> GeneratedKey:
        """A fresh data key of 32 bytes."""

    def wrap(self, plain: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        """*plain* wrapped, and by which wrapping key."""

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """What was wrapped, by whichever of the provider's wrapping keys."""

    def destroy(self, key_id: str) -> str:
        """Destroy a wrapping key, and what only it wraps; says what the provider does, and when."""
