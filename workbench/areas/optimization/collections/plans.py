"""The winning plan of an ``explain`` as a tree of stages, its values left out.

Source: MongoDB manual, "Explain Results": ``queryPlanner.winningPlan``, ``executionStats.executionStages``;
of the slot engine, whose stages of execution are others, the readable plan (``queryPlan``) with the figures
of the slots by ``planNodeId``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from workbench.catalog.observed_operations import shape_of
from workbench.diagrams.stage_tree import Stage
from workbench.documents.mongosh import key_document, spelled

_FETCHES = frozenset(["FETCH", "COLLSCAN", "CLUSTERED_IXSCAN", "IDHACK", "TEXT_OR"])
_BELOW = ("inputStage", "inputStages", "shards", "thenStage", "elseStage", "outerStage", "innerStage")


def plan_of(explanation: Mapping[str, Any]) -> Stage:
    """The stages of the plan that *explanation*, the reply to an ``explain``, says was chosen or run.

    The stages of a pipeline stand above those of its cursor.
    """
    stages = explanation.get("stages")
    if not stages:
        return _of_cursor(explanation)
    plan: Stage | None = None
    for stage in stages:
        name = next((each for each in stage if each.startswith("$")), "$stage")
        cursor = stage[name] if name in ("$cursor", "$geoNearCursor") else None
        if cursor is not None:
            plan = _of_cursor(cursor)
            continue
        inputs = () if plan is None else (plan,)
        plan = Stage(
            name,
            returned=_count(stage, "nReturned"),
            keys=_count(stage, "totalKeysExamined"),
            documents=_count(stage, "totalDocsExamined"),
            inputs=inputs,
        )
    return plan or Stage("EOF")


def _of_cursor(part: Mapping[str, Any]) -> Stage:
    winning = part.get("queryPlanner", {}).get("winningPlan", {})
    ran = part.get("executionStats", {}).get("executionStages")
    if "queryPlan" in winning:
        return _stage(winning["queryPlan"], _by_node(ran or {}))
    return _stage(ran if isinstance(ran, Mapping) and "stage" in ran else winning, {})


def _by_node(ran: Mapping[str, Any]) -> dict[int, Counter[str]]:
    """What the slots of each node of the plan counted."""
    found: dict[int, Counter[str]] = {}
    for slot in _slots(ran):
        counted = found.setdefault(int(slot.get("planNodeId", -1)), Counter())
        for name in ("keysExamined", "numReads"):
            counted[name] += int(slot.get(name) or 0)
        counted["nReturned"] = max(counted["nReturned"], int(slot.get("nReturned") or 0))
        counted[f"is {slot.get('stage')}"] += 1
    return found


def _slots(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        if "stage" in node:
            yield node
        for name in _BELOW:
            yield from _slots(node.get(name))
    elif isinstance(node, list):
        for each in node:
            yield from _slots(each)


def _stage(node: Mapping[str, Any], slots: Mapping[int, Counter[str]]) -> Stage:
    name = str(node.get("stage", "UNKNOWN"))
    inputs = [node["inputStage"]] if "inputStage" in node else []
    inputs += [
        *node.get("inputStages", ()),
        *(each.get("executionStages", each) for each in node.get("shards", ())),
    ]
    slot = slots.get(int(node.get("planNodeId", -2)))
    if slot is not None:
        keys = slot["keysExamined"] if name in ("IXSCAN", "COUNT_SCAN", "DISTINCT_SCAN") else None
        documents = slot["numReads"] if name in _FETCHES else None
        returned: int | None = slot["nReturned"]
    else:
        keys, documents, returned = (
            _count(node, each) for each in ("keysExamined", "docsExamined", "nReturned")
        )
    return Stage(
        name,
        about=" · ".join(_about(node)),
        keys=keys,
        documents=documents,
        returned=returned,
        inputs=tuple(_stage(each, slots) for each in inputs if isinstance(each, Mapping)),
    )


def _about(node: Mapping[str, Any]) -> Iterator[str]:
    if node.get("indexName"):
        many = ", several keys a document" if node.get("isMultiKey") else ""
        key = node.get("keyPattern")
        yield (
            f"{node['indexName']}{many}"
            if not isinstance(key, Mapping)
            else f"{key_document(list(key.items()))}{many}"
        )
    if isinstance(node.get("indexBounds"), Mapping):
        whole = [path for path, bounds in node["indexBounds"].items() if _is_whole(bounds)]
        if whole:
            yield f"all of {', '.join(whole)}"
    if node.get("filter"):
        yield f"keeps {spelled(shape_of(node['filter']))}"
    if node.get("sortPattern"):
        yield f"by {key_document(list(node['sortPattern'].items()))}"
    if node.get("usedDisk"):
        yield "used the disk"
    if node.get("limitAmount"):
        yield f"at most {int(node['limitAmount']):,}"
    if node.get("skipAmount"):
        yield f"passes over {int(node['skipAmount']):,}"


def _is_whole(bounds: Any) -> bool:
    return bounds in (["[MinKey, MaxKey]"], ["[MaxKey, MinKey]"])


def _count(node: Mapping[str, Any], name: str) -> int | None:
    value = node.get(name)
    return None if value is None else int(value)


__all__ = ["plan_of"]
