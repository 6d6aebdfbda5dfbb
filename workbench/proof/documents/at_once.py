"""Several callers at the same moment, for proofs of what concurrent writers do to one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

Result = TypeVar("Result")
_LONGEST_S = 30.0


def at_once(calls: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
    """What each of *calls* returned or raised, all started together, each in a thread of its own."""
    barrier = Barrier(len(calls))

    def started(call: Callable[[], Result]) -> Result | Exception:
        barrier.wait(_LONGEST_S)
        try:
            return call()
        except Exception as exc:  # the caller looks at what each one met
            return exc

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(started, calls))
