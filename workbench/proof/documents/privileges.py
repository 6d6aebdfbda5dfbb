"""Roles proved by logging in: what each may do is done, and all else is refused (error 13)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, TypeAlias

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from workbench.engines.mongo import Client

UNAUTHORIZED = 13
Act: TypeAlias = Callable[[Collection[dict[str, Any]]], None]
_INTRUDER = "workbench_intruder_"


@dataclass(frozen=True)
class RoleAttempt:
    """One action of one login on one collection. *code* is the server's, None where it was done.

    *expected* is what the role says, *outcome* what happened. An action that was let through and then
    failed for another reason, such as a validator, is "allowed".
    """

    role: str
    collection: str
    action: str
    expected: Literal["allowed", "refused"]
    outcome: Literal["allowed", "refused"]
    code: int | None = None

    @property
    def as_expected(self) -> bool:
        return self.expected == self.outcome


def attempt_privileges(
    clients: Mapping[str, Client],
    database: str,
    privileges: Mapping[str, Mapping[str, Sequence[str]]],
    collections: Sequence[str],
    *,
    administrator: Database[dict[str, Any]],
) -> list[RoleAttempt]:
    """Try find, insert, update and remove on each of *collections* as each role, and what no role may.

    *clients* are logged in, one a role; *privileges* say by role and collection which actions it has.
    Updates and removals match nothing; a document that could be inserted is taken out by the
    *administrator*. No role may read another database, drop a collection or make a user.
    """
    attempts = []
    for role, client in clients.items():
        granted = privileges.get(role, {})
        for name, action in product(collections, _TRIES):
            code = _code(_TRIES[action], client[database][name])
            if action == "insert" and code is None:
                administrator[name].delete_many({"workbench": True})
            attempts.append(_attempt(role, name, action, action in granted.get(name, ()), code))
        for name, action, act in _NEVER:
            attempts.append(_attempt(role, name, action, False, _code(act, client[database][name])))
    for user in administrator.command("usersInfo")["users"]:  # where one could be made
        if user["user"].startswith(_INTRUDER):
            administrator.command("dropUser", user["user"])
    return attempts


def attempt_anonymously(
    client: Client, database: str, collections: Sequence[str], *, administrator: Database[dict[str, Any]]
) -> list[RoleAttempt]:
    """The same with a *client* that has not logged in: everything must be refused."""
    return attempt_privileges({"nobody": client}, database, {}, collections, administrator=administrator)


def _attempt(role: str, collection: str, action: str, allowed: bool, code: int | None) -> RoleAttempt:
    return RoleAttempt(
        role,
        collection,
        action,
        "allowed" if allowed else "refused",
        "refused" if code == UNAUTHORIZED else "allowed",
        code,
    )


def _code(act: Act, collection: Collection[dict[str, Any]]) -> int | None:
    """The code with which the server refuses *act*; None where it is done."""
    try:
        act(collection)
    except OperationFailure as exc:
        return exc.code
    return None


def _find(collection: Collection[dict[str, Any]]) -> None:
    collection.find_one({}, {"_id": 1})


def _insert(collection: Collection[dict[str, Any]]) -> None:
    collection.insert_one({"_id": ObjectId(), "workbench": True})


def _update(collection: Collection[dict[str, Any]]) -> None:
    collection.update_many({"_id": ObjectId()}, {"$set": {"workbench": True}})


def _remove(collection: Collection[dict[str, Any]]) -> None:
    collection.delete_many({"_id": ObjectId()})


def _read_another_database(collection: Collection[dict[str, Any]]) -> None:
    collection.database.client["workbench_another"]["any"].find_one()


def _create_user(collection: Collection[dict[str, Any]]) -> None:
    name, password = f"{_INTRUDER}{secrets.token_hex(8)}", secrets.token_urlsafe(16)
    collection.database.command("createUser", name, pwd=password, roles=[])


_TRIES: Mapping[str, Act] = {"find": _find, "insert": _insert, "update": _update, "remove": _remove}

# what no role of an application has; each does no harm where it is let through
_NEVER: Sequence[tuple[str, str, Act]] = (
    ("workbench_none", "drop", lambda collection: collection.drop()),
    ("workbench_none", "read another database", _read_another_database),
    ("workbench_none", "create a user", _create_user),
)
