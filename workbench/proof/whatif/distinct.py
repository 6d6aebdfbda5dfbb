"""How many different keys a table has, and how many rows each: from a sample of whole pages, or statistics.

A sample of pages sees all rows of a key that lie together, which ANALYZE's sample of single rows does
not. Two estimates hold at once: Duj1 of Haas and Stokes (1998) over pairs of key and page, and the
rate at which the key changes from one row to the next, which bounds the number of runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]
_SEEN_OFTEN = 10  # in the sample: then a key's share of the rows is known well
_MANY = 60  # rows a key: from here on the mean stands for the distribution


@dataclass(frozen=True)
class Groups:
    """Keys by the number of rows that have them: *count*[i] keys have *size*[i] rows each."""

    size: Floats
    count: Floats

    @property
    def distinct(self) -> float:
        return float(self.count.sum())

    @property
    def rows(self) -> float:
        return float((self.size * self.count).sum())


def combined(codes: Sequence[Ints]) -> Ints:
    """One code for the values of several columns, by hashing."""
    found = codes[0].copy()
    for each in codes[1:]:
        found = found * np.int64(0x5851F42D4C957F2D) + each
    return found


def sampled_groups(codes: Ints, pages: Ints, rows: float) -> Groups:
    """The groups among *rows* rows, from the *codes* of the sampled ones in the order of their *pages*."""
    order = np.argsort(codes, kind="stable")
    code, page = codes[order], pages[order]
    begins = np.flatnonzero(np.concatenate(([True], code[1:] != code[:-1])))
    pair_begins = np.flatnonzero(np.concatenate(([True], (code[1:] != code[:-1]) | (page[1:] != page[:-1]))))
    sampled = len(code)
    share = min(1.0, sampled / max(rows, 1.0))
    row_counts = np.diff(np.append(begins, sampled)).astype(float)
    if share >= 1.0:
        return _grouped(row_counts)
    pages_of = np.diff(np.append(np.searchsorted(pair_begins, begins), len(pair_begins)))
    values, pairs = len(begins), len(pair_begins)
    distinct = _distinct(pages_of, pairs, share)
    distinct = min(distinct, _most_runs(codes, pages, rows), rows)
    distinct = max(distinct, values)
    if pairs / share / distinct < 1.2:  # a key lies within one page: what was seen of it is all of it
        seen = _grouped(row_counts)
        return Groups(
            seen.size * (rows / distinct) / (seen.rows / seen.distinct), seen.count * distinct / values
        )
    often = (row_counts >= _SEEN_OFTEN) & (pages_of >= 3)
    heavy = row_counts[often] / share
    rest = spread(max(0.0, rows - heavy.sum()), max(0.0, distinct - len(heavy)))
    return Groups(np.concatenate([heavy, rest.size]), np.concatenate([np.ones(len(heavy)), rest.count]))


def _distinct(pages_of: Ints, pairs: int, share: float) -> float:
    """The keys of the whole table, by how many sampled pages have each key that was seen.

    Where repeats are no more frequent than chance makes them among equally likely keys, the number of
    those keys is solved for; else Shlosser's estimator, as Haas, Naughton, Seshadri and Stokes (1995)
    choose by skew.
    """
    values = len(pages_of)
    if values == pairs:
        return pairs / share
    likely = _likely_keys(values, pairs)
    mean = pairs / likely  # sampled pages a key
    expected = likely * (1 - math.exp(-mean) * (1 + mean + mean**2 / 2))
    if int((pages_of >= 3).sum()) <= 3 * expected + 5:
        return likely * -math.expm1(-mean / share)
    once, left = int((pages_of == 1).sum()), (1 - share) ** pages_of
    return values + once * float(left.sum()) / max(share * float((pages_of * left).sum()) / (1 - share), 1e-9)


def _likely_keys(seen: int, draws: int) -> float:
    """How many equally likely keys there are, of which *draws* draws have shown *seen*: seen < draws."""
    low, high = float(seen), float(draws) ** 2
    for _ in range(60):
        middle = math.sqrt(low * high)
        if middle * -math.expm1(-draws / middle) < seen:
            low = middle
        else:
            high = middle
    return low


def _most_runs(codes: Ints, pages: Ints, rows: float) -> float:
    """The runs of equal keys in the whole table, were each change between neighbours on a page a new key."""
    same_page = pages[1:] == pages[:-1]
    neighbours = int(same_page.sum())
    if neighbours < 100:
        return math.inf
    changes = int((same_page & (codes[1:] != codes[:-1])).sum())
    return (changes + 1) / neighbours * rows + 1


def _grouped(row_counts: Floats) -> Groups:
    size, count = np.unique(row_counts, return_counts=True)
    return Groups(size.astype(float), count.astype(float))


def spread(rows: float, distinct: float) -> Groups:
    """*rows* rows over *distinct* keys as chance has it: Poisson without the keys of no row."""
    if rows <= 0 or distinct <= 0:
        return Groups(np.empty(0), np.empty(0))
    distinct = min(distinct, rows)
    mean = rows / distinct
    if mean >= _MANY or mean < 1 + 1e-6:
        return Groups(np.array([mean]), np.array([distinct]))
    rate = 2 * (mean - 1) if mean < 1.5 else mean
    for _ in range(8):  # Newton: the rate whose Poisson, without its zero, has this mean
        rate -= (rate + mean * math.expm1(-rate)) / (1 - mean * math.exp(-rate))
    size = np.arange(1, int(mean * 3 + 20))
    logs = size * math.log(rate) - rate - np.cumsum(np.log(size))
    count = np.exp(logs)
    count *= distinct / count.sum()
    return Groups(size.astype(float), count)


def with_heavy(rows: float, distinct: float, shares: Sequence[float]) -> Groups:
    """Groups from statistics: the most common values by their *shares*, and the others as chance has it."""
    heavy = np.array([rows * share for share in shares if share > 0], dtype=float)
    rest = spread(max(0.0, rows - heavy.sum()), max(0.0, distinct - len(heavy)))
    return Groups(np.concatenate([heavy, rest.size]), np.concatenate([np.ones(len(heavy)), rest.count]))
