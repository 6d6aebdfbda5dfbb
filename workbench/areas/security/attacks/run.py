"""A whole attack run, and its rows as a notebook shows them."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from workbench.areas.security.attacks.matrix import Only, Progress, matrix
from workbench.areas.security.attacks.model import AttackRun, Attempt
from workbench.areas.security.attacks.probes import probe_attempts
from workbench.areas.security.trial.model import Target
from workbench.catalog.model import qualified

if TYPE_CHECKING:
    import pandas as pd

_PROBE = re.compile(r"probe (?P<number>\w+): ")
_COLUMNS = ("tried", "object", "role", "for", "declared", "observed", "said", "as declared")


def run_attacks(
    target: Target,
    *,
    only: Only | None = None,
    probes: Collection[str] | None = None,
    progress: Progress | None = None,
) -> AttackRun:
    """The cross product and the probes against *target*, with what could not be tried.

    *only* picks cases of the cross product, *probes* the numbers of the probes (by default all of both).
    *progress* hears how many of the cross product's cases are done. Raises EngineError where a role to be
    attacked is a superuser.
    """
    began = time.monotonic()
    with matrix(target) as made:
        attempts = made.attempts(only=only, progress=progress)
        left_out = [*target.left_out, *filter(None, [target.identities.note]), *made.left_out]
    left_out += _undecided(attempts)
    attempts += probe_attempts(target, only=probes, left_out=left_out)
    return AttackRun(
        design=target.name,
        engine=target.place.server.description,
        attempts=tuple(attempts),
        elapsed_s=time.monotonic() - began,
        left_out=tuple(_together(left_out)),
    )


def _together(left_out: Iterable[str]) -> list[str]:
    """Each line once; probes that were not tried for one reason on one line."""
    found: dict[str, list[str]] = {}
    for line in dict.fromkeys(left_out):
        probe = _PROBE.match(line)
        reason = line[probe.end() :] if probe else line
        found.setdefault(reason, []).extend([probe["number"]] if probe else [])
    return [
        f"probe{'s' if numbers[1:] else ''} {_spans(numbers)}: {reason}" if numbers else reason
        for reason, numbers in found.items()
    ]


def _spans(numbers: Iterable[str]) -> str:
    """*numbers* in words, three and more that follow one another as a span: ``1 to 3, 5, X1``."""
    spans: list[list[str]] = []
    for number in numbers:
        last = spans[-1][-1] if spans else ""
        if number.isdigit() and last.isdigit() and int(number) == int(last) + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ", ".join(f"{each[0]} to {each[-1]}" if each[2:] else ", ".join(each) for each in spans)


def _undecided(attempts: Iterable[Attempt]) -> list[str]:
    """How often a trigger of the application ended what the intent refuses before rows could matter."""
    ended = Counter(
        qualified(*each.table)
        for each in attempts
        if each.table and each.declared == "refused" and each.observed == "stopped" and each.as_declared
    )
    return [
        f"{table}: a trigger of its own refuses before row security is asked, {count} of the attempts"
        for table, count in sorted(ended.items())
    ]


def attempts_table(attempts: Iterable[Attempt]) -> pd.DataFrame:
    """What was tried, as whom, what was declared and what happened, one row an attempt."""
    import pandas as pd

    return pd.DataFrame([_row(each) for each in attempts], columns=list(_COLUMNS))


def leaks(run: AttackRun) -> list[Attempt]:
    """The attempts in which more was possible than is declared."""
    return [each for each in run.attempts if each.leak]


def _row(each: Attempt) -> tuple[str, str, str, str, str, str, str, bool]:
    said = f"{each.sqlstate} {each.detail}".strip()
    place = qualified(*each.table) if each.table else ""
    number = f"{each.number}: " if each.group == "probe" else ""
    return (
        number + each.name, place, each.role, each.identity or "nobody", each.declared, each.observed,
        said, each.as_declared,
    )  # fmt: skip
