"""A workload of thousands of statements, made small enough to be worked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pglast.parser import fingerprint

from workbench.proof.workload.model import Statement, Workload

_MOST = 200


def compress(workload: Workload, *, most: int = _MOST, costs: Sequence[float] | None = None) -> Workload:
    """The *most* statements of *workload* that matter most: those of the greatest weight times cost.

    *costs* are of the statements in their order, in any unit: the planner's, or ms. Without them the
    measured mean times count, where all statements have them, and else the weights alone. Of statements
    that differ in their constants alone the one that matters most stands for all, weighted so that weight
    times cost stays the same. A workload that is small enough is given back as it is. What is left out is
    said with its share, which is also how much worse a decision can be for not having seen it.
    """
    if len(workload.statements) <= most:
        return workload
    unit, known = _costs(workload.statements, costs)
    groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for number, each in enumerate(workload.statements):
        groups.setdefault((fingerprint(each.sql), each.search_path), []).append(number)
    loads = [each.weight * cost for each, cost in zip(workload.statements, known, strict=True)]
    ranked = sorted(groups.values(), key=lambda group: (-sum(loads[number] for number in group), group[0]))
    kept = [_representative(workload.statements, group, known, loads) for group in sorted(ranked[:most])]
    all_loads = sum(loads)
    share = (
        sum(loads[number] for group in ranked[:most] for number in group) / all_loads if all_loads else 1.0
    )
    notes = [
        f"{len(workload.statements):,} statements are {len(groups):,} that differ in more than constants"
    ]
    if len(groups) > most:
        notes.append(
            f"the {most:,} of the greatest {unit} are kept, {100 * share:.1f} % of all; "
            f"{len(groups) - most:,} with {100 * (1 - share):.1f} % are left out"
        )
    return replace(workload, statements=tuple(kept), notes=(*workload.notes, *notes))


def _costs(statements: Sequence[Statement], costs: Sequence[float] | None) -> tuple[str, Sequence[float]]:
    """What the statements are ranked by, in words, and the cost of one call of each."""
    if costs is not None:
        if len(costs) != len(statements):
            raise ValueError(f"{len(costs)} costs are given for {len(statements)} statements")
        return "weight times cost", costs
    measured = [each.observed.mean_ms for each in statements if each.observed]
    if len(measured) == len(statements):
        return "total time", measured
    return "weight", [1.0] * len(statements)


def _representative(
    statements: Sequence[Statement], group: Sequence[int], costs: Sequence[float], loads: Sequence[float]
) -> Statement:
    """The statement of *group* with the greatest load, with the load of all."""
    chosen = max(group, key=lambda number: (loads[number], -number))
    load = sum(loads[number] for number in group)
    weight = load / costs[chosen] if costs[chosen] else sum(statements[number].weight for number in group)
    return replace(statements[chosen], weight=weight)
