"""Finding an encrypted value by equality: a keyed hash beside it, with an index.

What it gives away to who reads the table: which rows have the same value, and so how often each occurs.
Source: Paragon Initiative, CipherSweet, "Blind indexing"; NIST SP 800-107 for truncated HMAC.
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from workbench.areas.security.encryption.keyring import Keyring
from workbench.areas.security.encryption.places import column_bytes
from workbench.errors import BadInput


def _folded(value: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold()).strip()


FORMS: Mapping[str, Callable[[str], str]] = {
    "exact": lambda value: unicodedata.normalize("NFC", value),
    "folded": _folded,
    "alphanumeric": lambda value: "".join(filter(str.isalnum, _folded(value))),
}


@dataclass(frozen=True)
class BlindIndex:
    """The blind index of one column: HMAC-SHA-256 under a key of its own, cut to *bits*.

    *form* says which values count as equal: ``exact``, ``folded`` (neither case, width nor outer space) or
    ``alphanumeric`` (letters and digits alone, so that 123-45-6789 finds 123 45 6789). Fewer bits let
    different values share a hash: it tells less, and a search must decrypt and compare what it found.
    """

    keyring: Keyring = field(repr=False)
    schema: str
    table: str
    column: str
    form: str = "folded"
    bits: int = 256

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise BadInput(f"a blind index has no form {self.form!r}: it has {', '.join(FORMS)}")
        if self.bits % 8 or not 8 <= self.bits <= 256:
            raise BadInput(f"a blind index of {self.bits} bits: give a multiple of 8 from 8 to 256")

    @cached_property
    def _key(self) -> bytes:
        return self.keyring.index_key(column_bytes(self.schema, self.table, self.column), self.form)

    def of(self, value: str | None) -> bytes | None:
        """What to store beside *value*, and to search for; None of None."""
        if value is None:
            return None
        return hmac.digest(self._key, FORMS[self.form](value).encode(), "sha256")[: self.bits // 8]

    def of_many(self, values: Iterable[str | None]) -> list[bytes | None]:
        """The same for each of *values*, in order."""
        return [self.of(value) for value in values]

    def same(self, one: str, other: str) -> bool:
        """Whether two values count as equal: the check of what a search found."""
        return FORMS[self.form](one) == FORMS[self.form](other)

    def expected_false_positives(self, distinct: int) -> float:
        """How many of *distinct* different values a search for one of them finds besides, on average."""
        return max(0, distinct - 1) / 2.0**self.bits

    def __repr__(self) -> str:
        return f"BlindIndex({self.schema}.{self.table}.{self.column}, {self.form}, {self.bits} bits)"
