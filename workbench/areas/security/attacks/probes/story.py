"""Two runs side by side: what leaked on the naive design, and what became of it on the hardened one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from workbench.areas.security.attacks.model import AttackRun, Attempt
from workbench.areas.security.attacks.probes.catalogue import PROBES

Standing = Literal["leak", "residual", "closed", "not tried"]


@dataclass(frozen=True)
class Chapter:
    """One probe on two designs. *naive* and *hardened* say how each stands, the counts how many attempts
    of how many reached what they were after; *seen* is an example of the naive one, *answer* what the
    hardened one said to the same attempt, or what is left.
    """

    number: str
    title: str
    naive: Standing
    naive_reached: int
    naive_tried: int
    hardened: Standing
    hardened_reached: int
    hardened_tried: int
    seen: str
    answer: str


def leak_story(naive_run: AttackRun, hardened_run: AttackRun) -> list[Chapter]:
    """A chapter for each probe that either run has tried, in the order of the probes."""
    naive, hardened = (_by_number(run.attempts) for run in (naive_run, hardened_run))
    return [
        _chapter(probe.number, probe.title, naive.get(probe.number, []), hardened.get(probe.number, []))
        for probe in PROBES
        if probe.number in naive or probe.number in hardened
    ]


def standing(attempts: Iterable[Attempt]) -> Standing:
    """How a design stands one probe: a leak where any attempt was not as declared, or failed."""
    attempts = list(attempts)
    if not attempts:
        return "not tried"
    if not all(each.as_declared for each in attempts):
        return "leak"
    residual = any(each.declared == "residual" and each.observed == "reached" for each in attempts)
    return "residual" if residual else "closed"


def _by_number(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    """The attempts that a design should not let through; one that it should is there to prove the others."""
    found: dict[str, list[Attempt]] = {}
    for each in attempts:
        if each.group == "probe" and each.declared != "allowed":
            found.setdefault(each.number, []).append(each)
    return found


def _chapter(number: str, title: str, naive: list[Attempt], hardened: list[Attempt]) -> Chapter:
    example = _example(naive)
    same = _counterpart(example, hardened) if example else None
    left = _example(hardened)
    return Chapter(
        number,
        title,
        standing(naive),
        _reached(naive),
        len(naive),
        standing(hardened),
        _reached(hardened),
        len(hardened),
        _told(example) if example else "",
        _told(left) if left else _told(same) if same else "",
    )


def _counterpart(example: Attempt, attempts: list[Attempt]) -> Attempt | None:
    """The attempt that is most like *example*: of the same name, role and table if there is one."""
    if not attempts:
        return None

    def likeness(each: Attempt) -> tuple[bool, bool, bool, bool]:
        same = each.name == example.name
        return (
            same,
            each.operation == example.operation,
            each.role == example.role,
            each.table == example.table,
        )

    return max(attempts, key=likeness)


def _reached(attempts: Iterable[Attempt]) -> int:
    return sum(each.observed in ("reached", "stopped") and not _closed(each) for each in attempts)


def _closed(each: Attempt) -> bool:
    return each.observed == "stopped" and each.as_declared


def _example(attempts: Iterable[Attempt]) -> Attempt | None:
    """The attempt that reached the most, one that was not as declared first; None where none did."""
    leaks = [each for each in attempts if not each.as_declared or each.observed == "reached"]
    return max(leaks, key=lambda each: (not each.as_declared, each.rows or 0), default=None)


def _told(each: Attempt) -> str:
    what = f"{each.role}: {each.name}"
    if each.table:
        what += f" of {each.table[1]}" if " of " not in each.name else f" ({each.table[1]})"
    if each.observed == "reached":
        end = each.detail or (f"{each.rows} rows" if each.rows is not None else "done")
    elif each.observed == "nothing":
        end = each.detail or "nothing"
    else:
        end = f"{each.sqlstate} {each.detail}".strip()
    return f"{what}: {end}"
