"""Which rules the server names as its reasons for refusing a document (error 121).

Source: MongoDB manual, "Schema Validation", section on the details of a validation error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.proof.documents.rules import Clause, Location, Rule

VALIDATION_FAILURE = 121


@dataclass(frozen=True)
class Reason:
    """One rule that was broken: the clause's operator, the place within a ``$jsonSchema``, the missing name.

    *branches* holds, for an ``anyOf`` or ``oneOf``, the reasons within each branch that did not hold.
    *condition* is the clause as the server repeats it, where it does.
    """

    operator: str
    location: Location = ()
    part: str = ""
    condition: Mapping[str, Any] | None = None
    branches: Mapping[int, tuple[Reason, ...]] = field(default_factory=dict)
    said: str = ""

    @property
    def text(self) -> str:
        """The reason in a few words: ``items.quantity minimum``, ``$expr``."""
        if not self.location:
            return self.operator
        skipped = ("properties", "items", "patternProperties", "dependencies", "allOf", "anyOf", "oneOf")
        names = [str(step) for step in self.location[:-1] if step not in skipped]
        last = self.location[-1]
        return " ".join(filter(None, (".".join(names), str(last), self.part)))


def reasons(details: Mapping[str, Any]) -> list[Reason]:
    """All that *details*, the ``errInfo.details`` of a refusal, names, in its order."""
    return list(_of_clause(details))


def _of_clause(details: Mapping[str, Any]) -> Iterator[Reason]:
    operator = details.get("operatorName", "")
    if operator == "$and":
        for clause in details.get("clausesNotSatisfied", ()):
            yield from _of_clause(clause["details"])
    elif operator == "$jsonSchema":
        yield from _of_rules(details.get("schemaRulesNotSatisfied", ()), ())
    elif operator:
        yield Reason(operator, condition=details.get("specifiedAs"), said=details.get("reason", ""))


def _of_rules(found: Sequence[Mapping[str, Any]], location: Location) -> Iterator[Reason]:
    for rule in found:
        yield from _of_rule(rule, (*location, rule.get("operatorName", "")))


def _of_rule(rule: Mapping[str, Any], here: Location) -> Iterator[Reason]:
    keyword = here[-1]
    below = rule.get("details", ())
    if keyword == "properties":
        for each in rule.get("propertiesNotSatisfied", ()):
            yield from _of_rules(each.get("details", ()), (*here, each["propertyName"]))
    elif keyword == "patternProperties":
        for each in below:
            yield from _of_rules(each.get("details", ()), (*here, each["regexMatched"]))
    elif keyword == "items" and below and "itemIndex" in below[0]:
        for each in below:
            yield from _of_rules(each.get("details", ()), (*here, each["itemIndex"]))
    elif keyword in ("items", "additionalItems", "additionalProperties") and below:
        yield from _of_rules(below, here)
    elif keyword == "dependencies":
        for each in rule.get("failingDependencies", ()):
            place = (*here, each["conditionalProperty"])
            yield from _of_rules(each.get("details", ()), place)
            yield from (_named(place, name) for name in each.get("missingProperties", ()))
    elif keyword == "required":
        yield from (_named(here, name) for name in rule.get("missingProperties", ()))
    elif keyword == "allOf":
        for each in rule.get("schemasNotSatisfied", ()):
            yield from _of_rules(each.get("details", ()), (*here, each["index"]))
    else:
        yield Reason("$jsonSchema", here, branches=dict(_branches(rule, here)), said=rule.get("reason", ""))


def _named(location: Location, part: str) -> Reason:
    return Reason("$jsonSchema", location, part, said="missing")


def _branches(rule: Mapping[str, Any], here: Location) -> Iterator[tuple[int, tuple[Reason, ...]]]:
    for each in rule.get("schemasNotSatisfied", ()):
        yield each["index"], tuple(_of_rules(each.get("details", ()), (*here, each["index"])))


@dataclass(frozen=True)
class Naming:
    """Whether a refusal names a rule, and what else it names."""

    named: bool
    others: tuple[Reason, ...]
    reason: Reason | None = None

    @property
    def alone(self) -> bool:
        return self.named and not self.others


def naming(rule: Rule, clause: Clause, found: Sequence[Reason]) -> Naming:
    """Whether *found* names *rule*, a rule of *clause*.

    A rule in a branch of an ``anyOf`` or ``oneOf`` is named by that one not being satisfied, and in its
    branch by the rule: what the other branches say then is not another reason.
    """
    reason: Reason | None = None
    others: list[Reason] = []
    for each in found:
        if reason is None and _is(rule, clause, each):
            reason = each
            continue
        branch = _branch(rule, each)
        if reason is None and branch is not None:
            inner = naming(rule, clause, branch)
            if inner.named:
                reason = inner.reason
                others.extend(inner.others)
                continue
        others.append(each)
    return Naming(reason is not None, tuple(others), reason)


def _is(rule: Rule, clause: Clause, reason: Reason) -> bool:
    if reason.operator != clause.operator:
        return False
    if rule.schema is not None:
        return reason.location == rule.reported and reason.part == rule.part
    return reason.condition is None or reason.condition in (clause.condition, clause.whole)


def _branch(rule: Rule, reason: Reason) -> Sequence[Reason] | None:
    depth = len(reason.location)
    if not reason.branches or rule.location[:depth] != reason.location or len(rule.location) <= depth:
        return None
    return reason.branches.get(int(rule.location[depth]))
