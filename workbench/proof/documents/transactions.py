"""Transactions over several collections: all of one or nothing of it, and what a conflict does.

Source: MongoDB manual, "Transactions" and "Transactions in Applications".
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from workbench.proof.documents.claims import Claim

Documents = Collection[dict[str, Any]]
_CONFLICT = 112
_TRANSIENT = "TransientTransactionError"


class _GivenUp(Exception):
    """What the client in these proofs stumbles over, half way through."""


def prove_transactions(database: Database[dict[str, Any]], *, transactional: bool = True) -> list[Claim]:
    """Claims on transactions, each tried on two scratch collections of *database*.

    Without *transactional* the same writes are made one by one, which shows what the claims rest on.
    Raises OperationFailure on a server that is no replica set.
    """
    orders, stock = (database[f"workbench_{name}_{uuid.uuid4().hex[:8]}"] for name in ("orders", "stock"))
    try:
        for collection in (orders, stock):
            database.create_collection(collection.name)
        stock.insert_one({"_id": "widget", "pieces": 5})
        return [
            _nothing_of_what_is_aborted(orders, stock, transactional),
            _nothing_before_the_commit(orders, stock, transactional),
            _conflict_is_refused(stock, transactional),
            _conflict_is_retried(stock, transactional),
        ]
    finally:
        orders.drop()
        stock.drop()


def _ordered(orders: Documents, stock: Documents, session: ClientSession | None) -> None:
    """One order and the piece that it takes: the two writes that belong together."""
    orders.insert_one({"_id": uuid.uuid4().hex, "of": "widget"}, session=session)
    stock.update_one({"_id": "widget"}, {"$inc": {"pieces": -1}}, session=session)


def _state(orders: Documents, stock: Documents) -> tuple[int, int]:
    found = stock.find_one({"_id": "widget"}) or {"pieces": 0}
    return orders.count_documents({}), int(found["pieces"])


def _nothing_of_what_is_aborted(orders: Documents, stock: Documents, transactional: bool) -> Claim:
    before = _state(orders, stock)

    def fail_half_way(session: ClientSession | None) -> None:
        orders.insert_one({"_id": "half"}, session=session)
        raise _GivenUp

    try:
        with orders.database.client.start_session() as session:
            if transactional:
                session.with_transaction(fail_half_way)
            else:
                fail_half_way(None)
    except _GivenUp:
        after = _state(orders, stock)
    orders.delete_one({"_id": "half"})
    return Claim(
        "a client that fails half way through a transaction leaves nothing of it",
        after == before,
        f"{after[0] - before[0]} of two writes were left behind",
        {"writes_left": after[0] - before[0]},
    )


def _nothing_before_the_commit(orders: Documents, stock: Documents, transactional: bool) -> Claim:
    before = _state(orders, stock)
    with orders.database.client.start_session() as session:
        if transactional:
            session.start_transaction()
        _ordered(orders, stock, session if transactional else None)
        during = _state(orders, stock)
        if transactional:
            session.commit_transaction()
    after = _state(orders, stock)
    done = (after[0] - before[0], before[1] - after[1])
    return Claim(
        "others see nothing of a transaction before its commit, and all of it after",
        during == before and done == (1, 1),
        f"orders and stock before {before}, during {during}, after {after}",
    )


def _conflict_is_refused(stock: Documents, transactional: bool) -> Claim:
    """Two sessions change one document; the second must not wait and overwrite, but be told."""
    client = stock.database.client
    code: int | None = None
    transient = False
    with client.start_session() as first, client.start_session() as second:
        for session in (first, second) if transactional else ():
            session.start_transaction()
        stock.update_one(
            {"_id": "widget"}, {"$inc": {"pieces": -1}}, session=first if transactional else None
        )
        try:
            stock.update_one(
                {"_id": "widget"}, {"$inc": {"pieces": -1}}, session=second if transactional else None
            )
        except OperationFailure as exc:
            code, transient = exc.code, exc.has_error_label(_TRANSIENT)
        for session in (first, second):
            if session.in_transaction:
                session.abort_transaction()
    return Claim(
        "of two transactions that change one document the second is refused at once, as transient",
        code == _CONFLICT and transient,
        f"refused with {code}, label {_TRANSIENT}" if transient else "the second was not refused",
        {"code": code},
    )


def _conflict_is_retried(stock: Documents, transactional: bool) -> Claim:
    """What was read in a transaction changes before it writes: the driver runs the whole of it again."""
    before = _pieces(stock)
    attempts: list[int] = []

    def take_all_but_one(session: ClientSession | None) -> None:
        pieces = _pieces(stock, session)
        attempts.append(pieces)
        if len(attempts) == 1:  # another client is faster, once
            stock.update_one({"_id": "widget"}, {"$inc": {"pieces": 10}})
        stock.update_one({"_id": "widget"}, {"$set": {"pieces": pieces - 1}}, session=session)

    _run(stock, take_all_but_one, transactional)
    after = _pieces(stock)
    return Claim(
        "a transaction that conflicts is run again by with_transaction, on what is there by then",
        len(attempts) == 2 and after == before + 10 - 1,
        f"read {' then '.join(map(str, attempts))} pieces, left {after} of {before} + 10 - 1",
        {"attempts": len(attempts), "pieces": after},
    )


def _run(stock: Documents, write: Callable[[ClientSession | None], None], transactional: bool) -> None:
    if not transactional:
        write(None)
        return
    with stock.database.client.start_session() as session:
        session.with_transaction(write)


def _pieces(stock: Documents, session: ClientSession | None = None) -> int:
    found = stock.find_one({"_id": "widget"}, session=session)
    return int(found["pieces"]) if found else 0
