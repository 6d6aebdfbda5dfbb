"""What an ``$expr`` computes, put right again: so that a document breaks the one rule that is meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from workbench.proof.documents.rules import Clause, conjuncts

Stage = dict[str, Any]
_ROUNDS = 3  # a total of totals of products


def repair_stages(clauses: Sequence[Clause]) -> list[tuple[int, Stage]]:
    """For each clause that says what a field is computed from, the stage that computes it, by its index."""
    return [
        (at, stage)
        for at, clause in enumerate(clauses)
        if clause.operator == "$expr"
        for stage in _stages(clause.condition["$expr"])
    ]


def _stages(expression: Any) -> Iterator[Stage]:
    for sides in _equalities(expression):
        for field, value in (sides, sides[::-1]):
            if isinstance(field, str) and field.startswith("$") and not field.startswith("$$"):
                yield {"$set": {field[1:]: value}}
                break
    yield from _within_arrays(expression)


def _within_arrays(expression: Any) -> Iterator[Stage]:
    """``{$allElementsTrue: [{$map: {input: "$items", as: "x", in: {$eq: ["$$x.total", …]}}}]}``."""
    if not isinstance(expression, Mapping) or list(expression) != ["$allElementsTrue"]:
        return
    argument = expression["$allElementsTrue"]
    mapped = argument[0] if isinstance(argument, list) and len(argument) == 1 else argument
    found = mapped.get("$map") if isinstance(mapped, Mapping) else None
    if not isinstance(found, Mapping) or not isinstance(source := found.get("input"), str):
        return
    variable = f"$${found.get('as', 'this')}"
    for part in conjuncts(found.get("in")):
        for sides in _equalities(part):
            for field, value in (sides, sides[::-1]):
                name = field[len(variable) + 1 :] if isinstance(field, str) else ""
                if name and "." not in name and field == f"{variable}.{name}" and source.startswith("$"):
                    element = {"$mergeObjects": [variable, {name: value}]}
                    yield {"$set": {source[1:]: {"$map": {**found, "in": element}}}}
                    break


def _equalities(expression: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(expression, Mapping) and list(expression) == ["$eq"]:
        sides = expression["$eq"]
        if isinstance(sides, list) and len(sides) == 2:
            yield sides[0], sides[1]


def repaired(
    scratch: Collection[dict[str, Any]], documents: Sequence[Mapping[str, Any]], stages: Sequence[Stage]
) -> list[Mapping[str, Any] | None]:
    """*documents* with what *stages* compute put right, None for one that cannot be; *scratch* is emptied."""
    if not documents or not stages:
        return [None] * len(documents)
    scratch.delete_many({})
    scratch.insert_many([{"_id": at, "document": each} for at, each in enumerate(documents)])
    try:
        return list(_computed(scratch, {}, stages))
    except OperationFailure:  # one document has something in it that cannot be computed with
        return [_one(scratch, at, stages) for at in range(len(documents))]


def _computed(scratch: Collection[dict[str, Any]], found: Stage, stages: Sequence[Stage]) -> Any:
    return scratch.aggregate(
        [
            {"$match": found},
            {"$sort": {"_id": 1}},
            {"$replaceRoot": {"newRoot": "$document"}},
            *list(stages) * _ROUNDS,
        ]
    )


def _one(scratch: Collection[dict[str, Any]], at: int, stages: Sequence[Stage]) -> Mapping[str, Any] | None:
    try:
        return next(iter(_computed(scratch, {"_id": at}, stages)), None)
    except OperationFailure:
        return None
