"""The bytes of a stored value: version, flags, key id, nonce, ciphertext with tag. See docs/encryption.md.

     0        1       2            34           46                     -16
     version  flags   key id (32)  nonce (12)   ciphertext             tag (16)

The key id commits to the key (HKDF-SHA-512 of it, see `keys`), so that no value opens under two keys. The
associated data of AES-256-GCM are a constant, version, flags and key id, then the column and the row.
"""

from __future__ import annotations

from typing import NamedTuple

from workbench.areas.security.encryption.errors import ValueRefused

VERSION = 1
PADDED = 1
KEY_ID_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
HEADER_BYTES = 2 + KEY_ID_BYTES
OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES
NONCE_BUDGET = 2**32  # values a key: NIST SP 800-38D, section 8.3, for random nonces
DOMAIN = b"database-workbench value\0"


class StoredValue(NamedTuple):
    """A stored value taken apart; nothing of it is secret."""

    header: bytes
    nonce: bytes
    ciphertext: bytes

    @property
    def key_id(self) -> bytes:
        return self.header[2:]

    @property
    def padded(self) -> bool:
        return bool(self.header[1] & PADDED)


def header(key_id: bytes, *, padded: bool) -> bytes:
    """What stands before the nonce."""
    return bytes((VERSION, PADDED if padded else 0)) + key_id


def take_apart(stored: bytes | bytearray | memoryview) -> StoredValue:
    """*stored* by its parts. Raises ValueRefused where it is no stored value."""
    raw = bytes(stored)
    if len(raw) < OVERHEAD_BYTES:
        raise ValueRefused(
            f"{len(raw)} bytes are no encrypted value: the shortest has {OVERHEAD_BYTES}; "
            "is the column encrypted?"
        )
    if raw[0] != VERSION or raw[1] & ~PADDED:
        raise ValueRefused(
            f"an encrypted value of version {raw[0]}, flags {raw[1]}: this program knows version {VERSION}; "
            "is the column encrypted?"
        )
    nonce_end = HEADER_BYTES + NONCE_BYTES
    return StoredValue(raw[:HEADER_BYTES], raw[HEADER_BYTES:nonce_end], raw[nonce_end:])


def pad(plain: bytes, block: int) -> bytes:
    """*plain* made as long as the next multiple of *block*, always by at least a byte (ISO/IEC 7816-4)."""
    marked = plain + b"\x80"
    return marked + bytes(-len(marked) % block)


def unpad(padded: bytes) -> bytes:
    """What `pad` was given."""
    return padded[: padded.rindex(b"\x80")]
