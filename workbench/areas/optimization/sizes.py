"""Sizes as people write them."""

from __future__ import annotations

import re

from workbench.errors import BadInput

_SIZE = re.compile(r"\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>%|[kMGT]?i?B|)\s*", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def bytes_of(text: str, *, whole: int) -> int:
    """The bytes that *text* means: ``500MB`` (10^6), ``2 GiB`` (2^30), ``1000000``, or ``25%`` of *whole*.

    Raises BadInput.
    """
    match = _SIZE.fullmatch(text)
    if not match:
        raise BadInput(f"a budget of {text!r} cannot be read: write 500MB, 2GiB, or 25% of the tables' size")
    number, unit = float(match["number"]), match["unit"].lower()
    if unit == "%":
        return int(whole * number / 100)
    base = 1024 if "i" in unit else 1000
    return int(number * base ** _POWERS[unit.rstrip("b").rstrip("i")])


def in_words(size_bytes: float) -> str:
    """*size_bytes* as ``141 MB``, by powers of ten."""
    number, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{number:,.0f} {unit}" if unit == "B" or number >= 100 else f"{number:,.1f} {unit}"
