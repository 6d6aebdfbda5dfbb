"""What each statement costs under a set of indexes, asked of the planner as rarely as can be.

A plan that is the best among the indexes V and uses U of them is the best among every set between U and V:
what lies in between needs no call (Papadomanolakis, Dash, Ailamaki: *Efficient use of the query optimizer for
automated physical design*, VLDB 2007).

A set of indexes is an integer whose bit n says whether index n is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

Indexes = int
Ask = Callable[[int, Indexes], tuple[float, Indexes]]


def members(indexes: Indexes) -> Iterator[int]:
    """The numbers in the set *indexes*, ascending."""
    while indexes:
        lowest = indexes & -indexes
        yield lowest.bit_length() - 1
        indexes ^= lowest


def as_set(numbers: Iterable[int]) -> Indexes:
    """The set of *numbers*."""
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


@dataclass(frozen=True)
class Answer:
    """The cost of a statement where *visible* are the indexes there are, of which its plan uses *used*."""

    visible: Indexes
    used: Indexes
    cost: float


@dataclass
class Costs:
    """The planner's answers for the statements 0 …; *relevant* are the indexes that can matter to each.

    *ask* gives the cost and the used indexes of a statement among visible indexes: one planner call.
    """

    relevant: Sequence[Indexes]
    ask: Ask
    calls: int = 0
    _answers: list[dict[Indexes, Answer]] = field(default_factory=list, repr=False)
    _plans: list[dict[Indexes, Answer]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._answers = [{} for _ in self.relevant]
        self._plans = [{} for _ in self.relevant]

    def answer(self, statement: int, indexes: Indexes) -> Answer:
        """What *statement* costs where *indexes* are there."""
        visible = self.relevant[statement] & indexes
        found = self._answers[statement].get(visible) or self._between(statement, visible)
        if found is None:
            self.calls += 1
            cost, used = self.ask(statement, visible)
            found = Answer(visible, used, cost)
            self._answers[statement][visible] = found
            known = self._plans[statement].get(used)
            if known is None or cost < known.cost:
                self._plans[statement][used] = found
        return found

    def _between(self, statement: int, visible: Indexes) -> Answer | None:
        for each in self._answers[statement].values():
            if not each.used & ~visible and not visible & ~each.visible:
                return each
        return None

    def plans(self, statement: int) -> list[Answer]:
        """The plans that were seen and are not beaten by one that needs fewer indexes, the cheapest first."""
        kept: list[Answer] = []
        for each in sorted(self._plans[statement].values(), key=lambda answer: answer.cost):
            if not any(not better.used & ~each.used for better in kept):
                kept.append(each)
        return kept
