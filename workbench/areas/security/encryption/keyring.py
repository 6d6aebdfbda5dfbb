"""The data keys of an application: made, opened, rotated, wrapped anew, destroyed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

import psycopg2.errors

from workbench.areas.security.encryption.errors import KeyUnavailable, NonceBudgetSpent
from workbench.areas.security.encryption.key_table import KeyTable
from workbench.areas.security.encryption.keys import (
    OpenKey,
    Purpose,
    WrappedKey,
    key_id_of,
    same_key,
    wrapping_context,
)
from workbench.areas.security.encryption.providers.model import KeyProvider
from workbench.areas.security.encryption.stored import NONCE_BUDGET

_SHARE = 2**16  # nonces that a process takes from the store's count at once; those it does not use are lost


@dataclass
class Keyring:
    """Data keys wrapped by *provider*, kept in *table*; *former* providers still unwrap.

    An opened key stays in this process for *kept_s* seconds, then it is asked for again: that long, a key
    destroyed elsewhere can still be used here. Safe for threads. Nothing of it can be printed or pickled.
    """

    table: KeyTable
    provider: KeyProvider
    former: Iterable[KeyProvider] = ()
    kept_s: float = 300.0
    _open: dict[bytes, OpenKey] = field(default_factory=dict, init=False, repr=False)
    _active: dict[tuple[Purpose, str], OpenKey] = field(default_factory=dict, init=False, repr=False)
    _process: int = field(default_factory=os.getpid, init=False, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    def sealing(self, identity: str = "", *, count: int = 1) -> OpenKey:
        """The active data key of *identity*, with *count* nonces of its budget taken.

        It is made where there is none. Raises NonceBudgetSpent.
        """
        if self._process != os.getpid():
            self._begin_in_child()
        with self._lock:
            key = self._active.get(("values", identity))
            if key is None or self._stale(key):
                key = self._active_key("values", identity)
            if key.left < count:
                self._take(key, count)
            key.left -= count
            return key

    def opening(self, key_id: bytes) -> OpenKey:
        """The data key *key_id*. Raises KeyUnavailable where it is unknown, destroyed or not unwrapped."""
        key = self._open.get(key_id)
        if key is not None and not self._stale(key):
            return key
        with self._lock:
            self._forget(key_id)
            stored = self.table.find(key_id)
            if stored is None:
                raise KeyUnavailable(f"the data key {key_id.hex()[:16]} is not in this keyring")
            return self._opened(stored)

    def index_key(self, column: bytes, form: str) -> bytes:
        """The key of a column's blind index."""
        with self._lock:
            key = self._active.get(("index", ""))
            if key is None or self._stale(key):
                key = self._active_key("index", "")
            return key.index_key(column, form)

    def rotate(self, identity: str = "") -> bytes:
        """A new data key seals from now on; its id. What the former ones sealed still opens."""
        with self._lock:
            self._active.pop(("values", identity), None)
            return self._made("values", identity, rotating=True).key_id

    def rewrap(self, provider: KeyProvider | None = None) -> int:
        """Wrap all data keys anew, by *provider*'s present wrapping key; how many were. No row is touched."""
        target = provider or self.provider
        with self._lock:
            pairs = []
            for old in self.table.all():
                if old.wrapped is None or (
                    old.provider == target.name
                    and old.wrapping_key == target.key_id
                    and target is self.provider
                ):
                    continue
                plain = self._unwrapped(old)
                wrapped, wrapping_key = target.wrap(plain, old.context)
                _require_same(target, wrapped, old.context, plain)
                pairs.append(
                    (old, replace(old, wrapped=wrapped, provider=target.name, wrapping_key=wrapping_key))
                )
            count = self.table.rewrap(pairs)
            if target is not self.provider:
                self.former, self.provider = (*self.former, self.provider), target
            return count

    def destroy(self, key_id: bytes) -> None:
        """Destroy one data key: what it sealed can never be read again.

        Rotate first, give every process *kept_s* to notice, and reencrypt what is to stay. Raises
        KeyUnavailable where the key is unknown, or seals still.
        """
        with self._lock:
            gone = self.table.destroy(key_id=key_id)
            self._forget(key_id)
        if not gone:
            known = self.table.find(key_id)
            why = (
                "seals still: rotate first"
                if known and known.active
                else "is not there, or was destroyed before"
            )
            raise KeyUnavailable(f"the data key {key_id.hex()[:16]} {why}")

    def shred(self, identity: str) -> int:
        """Destroy all data keys of *identity*, and with them its values; how many there were."""
        if not identity:
            raise KeyUnavailable("the empty identity is everybody: destroy its keys one by one, by their ids")
        with self._lock:
            gone = self.table.destroy(identity=identity)
            for key_id in gone:
                self._forget(key_id)
        return len(gone)

    def all_keys(self) -> list[WrappedKey]:
        """All data keys as they are stored, wrapped; the oldest first."""
        return self.table.all()

    def _take(self, key: OpenKey, count: int) -> None:
        wanted = max(_SHARE, count - key.left)
        for share in dict.fromkeys((wanted, count - key.left)):  # near the end, no more than is needed
            if self.table.reserve(key.key_id, share):
                key.left += share
                return
        stored = self.table.find(key.key_id)
        if stored is None or stored.wrapped is None:
            self._forget(key.key_id)
            raise KeyUnavailable(f"the data key {key.key_id.hex()[:16]} was destroyed: it seals no more")
        raise NonceBudgetSpent(
            f"the data key {key.key_id.hex()[:16]} has sealed {NONCE_BUDGET:,} values, "
            "as many as random nonces allow: call rotate(), and reencrypt the old values when there is time"
        )

    def _active_key(self, purpose: Purpose, identity: str) -> OpenKey:
        stored = self.table.active(purpose, identity)
        if stored is not None:
            known = self._open.get(stored.key_id)
            if known is None or self._stale(known):
                known = self._opened(stored)
            self._active[(purpose, identity)] = known
            return known
        if purpose == "index" or identity == "" or not self._was_shredded(identity):
            return self._made(purpose, identity)
        raise KeyUnavailable("this identity was shredded: rotate() makes it a new key if it is to come back")

    def _was_shredded(self, identity: str) -> bool:
        return any(each.identity == identity for each in self.table.all())

    def _made(self, purpose: Purpose, identity: str, *, rotating: bool = False) -> OpenKey:
        context = wrapping_context(purpose, identity)
        made = self.provider.generate(context)
        _require_same(self.provider, made.wrapped, context, made.plain)
        key_id = key_id_of(made.plain, purpose, identity)
        try:
            wrapped = WrappedKey(
                key_id, purpose, identity, made.wrapped, self.provider.name, made.wrapping_key
            )
            self.table.add(wrapped, rotating=rotating)
        except psycopg2.errors.UniqueViolation:  # another process made one at this moment: it is used
            return self._active_key(purpose, identity)
        key = self._open[key_id] = self._active[(purpose, identity)] = OpenKey(
            made.plain, key_id, time.monotonic()
        )
        return key

    def _opened(self, stored: WrappedKey) -> OpenKey:
        plain = self._unwrapped(stored)
        left = self._open[stored.key_id].left if stored.key_id in self._open else 0
        key = self._open[stored.key_id] = OpenKey(plain, stored.key_id, time.monotonic())
        key.left = left
        return key

    def _unwrapped(self, stored: WrappedKey) -> bytes:
        named = f"the data key {stored.key_id.hex()[:16]}"
        if stored.wrapped is None:
            raise KeyUnavailable(f"{named} was destroyed: what it sealed cannot be read any more")
        known = [each for each in (self.provider, *self.former) if each.name == stored.provider]
        if not known:
            raise KeyUnavailable(f"{named} was wrapped by {stored.provider}: give the keyring that provider")
        refused: KeyUnavailable | None = None
        for provider in known:
            try:
                plain = provider.unwrap(stored.wrapped, stored.context)
            except KeyUnavailable as exc:
                refused = refused or exc
                continue
            if same_key(plain, stored):
                return plain
            refused = KeyUnavailable(f"{named} is not the key that its row names: the key table was changed")
        raise refused or KeyUnavailable(f"{named} cannot be unwrapped")

    def _begin_in_child(self) -> None:
        """A forked process takes shares of its own: the nonces that are left are its parent's."""
        self._lock = threading.RLock()
        self._open.clear()
        self._active.clear()
        self._process = os.getpid()

    def _stale(self, key: OpenKey) -> bool:
        return time.monotonic() - key.opened_s > self.kept_s

    def _forget(self, key_id: bytes) -> None:
        self._open.pop(key_id, None)
        for place in [place for place, key in self._active.items() if key.key_id == key_id]:
            del self._active[place]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a keyring is not written anywhere: open one in the other process")


def _require_same(provider: KeyProvider, wrapped: bytes, context: Mapping[str, str], plain: bytes) -> None:
    """KeyUnavailable where a key does not come back: better now than when its values are read."""
    if provider.unwrap(wrapped, context) != plain:
        raise KeyUnavailable(f"{provider.name} gave back another key than it was given: nothing was stored")
