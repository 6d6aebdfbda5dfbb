"""What the search found, told: what each index is worth, and why the others were left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.areas.optimization.advisor.advice import NotChosen, Recommended
from workbench.areas.optimization.advisor.costs import Costs, Indexes, members
from workbench.areas.optimization.advisor.pool import Pool
from workbench.areas.optimization.advisor.search import Found, Search

LEAST_GAIN = 0.1  # percent of the objective: an index that is worth less is not recommended
_AS_GOOD = 0.05  # percent
_GIVEN_UP = 0.003  # of the objective: what a smaller set may cost in all
_MOST_REJECTED = 20


@dataclass(frozen=True)
class Telling:
    """*names* are those of the searched statements, *upkeep* what each index costs, both in their order."""

    pool: Pool
    costs: Costs
    search: Search
    names: Sequence[str]
    upkeep: Sequence[float]

    def thrifty(self, found: Found, gap: float) -> Found:
        """*found* with smaller indexes in the place of larger ones of the same table that are no better.

        It costs no more than `_AS_GOOD` an index, and half of `_GIVEN_UP` and of *gap* in all.
        """
        most = found.objective + abs(self.search.percent(found.objective)) * min(gap, _GIVEN_UP) / 2
        sizes, new = self.pool.sizes, self._new(found)
        for number in sorted(members(new), key=lambda number: (-sizes[number], number)):
            for other in self._smaller(number, found.indexes):
                swapped = found.indexes & ~(1 << number) | 1 << other
                limit = min(most, found.objective + _AS_GOOD)
                # what was seen is dearer than it is, and takes no planner call
                if self._seen(swapped) + self._upkeep(swapped) > limit:
                    continue
                objective = self.search.objective(swapped)
                if objective <= limit:
                    found = replace(found, indexes=swapped, objective=objective)
                    break
        return found

    def _smaller(self, number: int, indexes: Indexes) -> list[int]:
        """The candidates of the same table outside of *indexes*, a tenth smaller or more, smallest first."""
        definition, sizes = self.pool.new[number].definition, self.pool.sizes
        others = self.pool.of_table[definition.schema, definition.table]
        left = [
            each
            for each in others
            if self.search.everything & ~indexes & ~self.pool.existing & 1 << each
            and sizes[each] <= 0.9 * sizes[number]
        ]
        return sorted(left, key=lambda each: (sizes[each], each))

    def _upkeep(self, indexes: Indexes) -> float:
        return sum(self.search.upkeep[number] for number in members(indexes))

    def without_trifles(self, found: Found, gap: float) -> tuple[Found, Mapping[int, float]]:
        """*found* without new indexes that are worth less than `LEAST_GAIN`, and what each of them is worth.

        One that another chosen one holds goes for that alone. All others together are worth no more than
        `_GIVEN_UP`, and than *gap*: the proven distance to the best set grows by no more than that.
        """
        left: dict[int, float] = {}
        most = found.objective + abs(self.search.percent(found.objective)) * min(gap, _GIVEN_UP)
        worth = {number: self._worth(found, number) for number in members(self._new(found))}
        for number in sorted(worth, key=lambda number: (worth[number], -self.pool.sizes[number], number)):
            if worth[number] >= LEAST_GAIN:
                break
            smaller = found.indexes & ~(1 << number)
            objective = self.search.objective(smaller)
            lost = objective - found.objective
            if lost < LEAST_GAIN and (objective <= most or self._is_within_another(number, smaller)):
                left[number] = lost
                found = replace(found, indexes=smaller, objective=objective)
        return found, left

    def _is_within_another(self, number: int, indexes: Indexes) -> bool:
        """Whether a new one of *indexes* begins with the same keys and holds all of the index's columns."""
        one = self.pool.new[number].definition
        return any(
            (one.schema, one.table, one.method, one.predicate)
            == (other.schema, other.table, other.method, other.predicate)
            and other.keys[: len(one.keys)] == one.keys
            and set(one.included) <= {*other.included, *(key.text for key in other.keys)}
            for other in (self.pool.new[n].definition for n in members(indexes & ~self.pool.existing))
        )

    def _new(self, found: Found) -> Indexes:
        return found.indexes & ~self.pool.existing

    def _worth(self, found: Found, number: int) -> float:
        """What the objective rises by where the index alone is missing."""
        return max(0.0, self.search.objective(found.indexes & ~(1 << number)) - found.objective)

    def recommended(self, found: Found) -> tuple[Recommended, ...]:
        """The new indexes, the one that is worth the most first."""
        chosen = list(members(self._new(found)))
        worth = {number: self._worth(found, number) for number in chosen}
        whole = sum(worth.values()) or 1.0
        users: dict[int, list[str]] = {number: [] for number in chosen}
        for place, name in enumerate(self.names):
            for number in members(self.costs.answer(place, found.indexes).used):
                if number in users:
                    users[number].append(name)
        ranked = sorted(chosen, key=lambda number: (-worth[number], number))
        return tuple(
            Recommended(self.pool.new[number], worth[number] / whole, tuple(users[number]))
            for number in ranked
        )

    def rejected(
        self, found: Found, trifles: Mapping[int, float], budget_bytes: int
    ) -> tuple[NotChosen, ...]:
        """The candidates that gain most alone and were not chosen, and what they would add to the chosen."""
        base = self.search.objective(self.search.start)
        room = budget_bytes - sum(self.pool.sizes[n] for n in members(self._new(found)))
        left = list(members(self.search.everything & ~found.indexes & ~self.pool.existing))
        there = self.pool.existing
        alone = {
            number: base - self._seen(1 << number | there) - self._upkeep(1 << number | there)
            for number in left
        }
        ranked = sorted(left, key=lambda number: (-alone[number], number))[:_MOST_REJECTED]
        return tuple(
            NotChosen(
                self.pool.new[number].definition,
                int(self.pool.sizes[number]),
                (self.search.percent(base) - self.search.percent(base - alone[number])) / 100,
                self._reason(found, number, trifles, room),
            )
            for number in ranked
        )

    def _price(self, number: int) -> float:
        """The upkeep of an index in the units of the objective."""
        return self.search.upkeep[number]

    def _reason(self, found: Found, number: int, trifles: Mapping[int, float], room: float) -> str:
        if number in trifles:
            return _trifle(trifles[number])
        price = self._price(number)
        gain = found.objective - self.search.objective(found.indexes | 1 << number)
        if price > 0 and gain <= 0 < gain + price:
            return (
                f"beside the chosen ones its upkeep costs {price / 100:.2%} of the workload, "
                f"more than the {(gain + price) / 100:.2%} that it saves"
            )
        if gain < LEAST_GAIN:
            return _trifle(gain)
        if self.pool.sizes[number] > room:
            return f"beside the chosen ones it gains {gain / 100:.1%}, and the budget has no room for it"
        return f"beside the chosen ones it gains {gain / 100:.1%}, seen when the search had ended"

    def _seen(self, indexes: Indexes) -> float:
        """The objective of *indexes* without their upkeep, by the plans that were seen: some are missed."""
        return sum(
            min(
                self.search.value(place, plan.cost)
                for plan in self.costs.plans(place)
                if not plan.used & ~indexes
            )
            for place in range(len(self.names))
        )


def _trifle(gain: float) -> str:
    if gain < LEAST_GAIN / 10:
        return "beside the chosen ones it gains nothing"
    return f"beside the chosen ones it gains {gain / 100:.2%}: less than 0.1 %"
