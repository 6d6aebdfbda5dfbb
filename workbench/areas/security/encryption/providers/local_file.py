"""Key-encryption keys in a file of one's own: for the example, and for a machine without a key service."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workbench.areas.security.encryption.errors import KeyFileRefused, KeyUnavailable
from workbench.areas.security.encryption.keys import new_key
from workbench.areas.security.encryption.places import encoded
from workbench.areas.security.encryption.providers.model import GeneratedKey
from workbench.errors import printable

_ID_BYTES, _NONCE_BYTES = 8, 12


class LocalFile:
    """A provider whose wrapping keys are in *path*, read by its owner alone (mode 0600).

    The file is made where there is none, at once and whole: never half written, never readable by others
    for a moment. Wrapping is AES-256-GCM. Who reads the file reads everything: keep it off the database's
    machine and out of its backups. Raises KeyFileRefused.
    """

    name = "local file"

    def __init__(self, path: Path | str, *, create: bool = True) -> None:
        self.path = Path(path)
        if create and not self.path.exists():
            key_id = secrets.token_hex(_ID_BYTES)
            with contextlib.suppress(FileExistsError):  # another process was first: its file is used
                self._write({"version": 1, "current": key_id, "keys": {key_id: _text(new_key())}}, new=True)
        self._read()

    @property
    def key_id(self) -> str:
        return str(self._read()["current"])

    def generate(self, context: Mapping[str, str]) -> GeneratedKey:
        plain = new_key()
        wrapped, key_id = self.wrap(plain, context)
        return GeneratedKey(plain, wrapped, key_id)

    def wrap(self, plain: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        content = self._read()
        key_id = str(content["current"])
        nonce = os.urandom(_NONCE_BYTES)
        sealed = _cipher(content, key_id).encrypt(nonce, plain, _bound(context))
        return bytes.fromhex(key_id) + nonce + sealed, key_id

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        key_id, rest = wrapped[:_ID_BYTES].hex(), wrapped[_ID_BYTES:]
        content = self._read()
        if key_id not in content["keys"]:
            raise KeyUnavailable(
                f"the wrapping key {key_id} is not in {printable(str(self.path))}: it was destroyed, "
                "or this is the file of another keyring"
            )
        try:
            return _cipher(content, key_id).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound(context))
        except (InvalidTag, ValueError):
            raise KeyUnavailable(
                f"a wrapped key does not open with the wrapping key {key_id}: it was changed, or belongs to "
                "another purpose or identity"
            ) from None

    def rotate(self) -> str:
        """Add a new wrapping key, which wraps from now on; the others still unwrap."""
        content = self._read()
        key_id = secrets.token_hex(_ID_BYTES)
        self._write({**content, "current": key_id, "keys": {**content["keys"], key_id: _text(new_key())}})
        return key_id

    def destroy(self, key_id: str) -> str:
        content = self._read()
        if key_id not in content["keys"]:
            raise KeyUnavailable(f"the wrapping key {key_id} is not in {printable(str(self.path))}")
        if key_id == content["current"] and len(content["keys"]) > 1:
            raise KeyUnavailable(f"the wrapping key {key_id} is the one in use: rotate and rewrap first")
        kept = {name: key for name, key in content["keys"].items() if name != key_id}
        with self.path.open("r+b") as former:  # replaced first: a crash in between loses no other key
            self._write(
                {
                    **content,
                    "current": "" if key_id == content["current"] else content["current"],
                    "keys": kept,
                }
            )
            _overwrite(former)
        return "removed from the file at once; backups of the file, and old blocks of a flash disk, stay"

    def material(self) -> dict[str, bytes]:
        """The wrapping keys themselves by their ids: for what must derive from them, or look for them."""
        return {name: base64.b64decode(key) for name, key in self._read()["keys"].items()}

    def _read(self) -> dict[str, Any]:
        where = printable(str(self.path))
        try:
            handle = os.open(
                self.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
            )
        except OSError as exc:
            raise KeyFileRefused(f"the key file {where} cannot be read: {exc.strerror}") from None
        try:
            _require_own(os.fstat(handle), where)
        except KeyFileRefused:
            os.close(handle)
            raise
        with os.fdopen(handle, "rb") as file:
            return _checked(file.read(), where)

    def _write(self, content: Mapping[str, Any], *, new: bool = False) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            if new:
                os.link(unfinished, self.path)  # unlike a rename, it never replaces another's file
            else:
                unfinished.replace(self.path)
                return
        except FileExistsError:
            raise
        except OSError as exc:
            raise KeyFileRefused(
                f"the key file {printable(str(self.path))} cannot be written: {exc.strerror}"
            ) from None
        finally:
            unfinished.unlink(missing_ok=True)

    def __repr__(self) -> str:
        return f"LocalFile({str(self.path)!r})"


def _overwrite(file: BinaryIO) -> None:
    file.write(os.urandom(os.fstat(file.fileno()).st_size))
    file.flush()
    os.fsync(file.fileno())


def _cipher(content: Mapping[str, Any], key_id: str) -> AESGCM:
    if not key_id:
        raise KeyUnavailable("the last wrapping key was destroyed: rotate to have a new one")
    return AESGCM(base64.b64decode(content["keys"][key_id]))


def _bound(context: Mapping[str, str]) -> bytes:
    return encoded(part.encode() for pair in sorted(context.items()) for part in pair)


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _require_own(status: os.stat_result, where: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileRefused(f"the key file {where} is no ordinary file")
    if os.name != "posix":
        return
    if status.st_mode & 0o077:
        raise KeyFileRefused(
            f"the key file {where} can be read by others (mode {stat.S_IMODE(status.st_mode):04o}): "
            "chmod 600 it, and take its keys for known"
        )
    if status.st_uid != os.geteuid():
        raise KeyFileRefused(f"the key file {where} belongs to another user: use one of your own")


def _checked(text: bytes, where: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
        keys = content["keys"]
        complete = content["version"] == 1 and (content["current"] in keys or content["current"] == "")
        complete = complete and all(len(base64.b64decode(key)) == 32 for key in keys.values())
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        complete = False
    if not complete:
        raise KeyFileRefused(f"{where} is no key file of the workbench, or is damaged: restore it") from None
    return dict(content)
