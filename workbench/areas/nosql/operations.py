"""What applications do with the example's collections where one statement alone would be wrong.

Each takes the database as the login sees it; the design's concerns are used, and where two documents
change together it is a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from pymongo.client_session import ClientSession
from pymongo.database import Database

from workbench.documents.example.designs import designed, pipeline
from workbench.errors import BadInput

BUCKET = 50  # prices, as the validator of price_history has it
MOST_PIECES, MOST_LINES = 99, 100  # as the validator of carts has them
CART_LASTS = timedelta(days=7)


@dataclass(frozen=True)
class Ingested:
    """What one run of `ingest` did: events that it *moved*, and those that an earlier run had inserted."""

    moved: int
    already_there: int


def ingest(database: Database[Any], *, limit: int = 1_000) -> Ingested:
    """Move the oldest *limit* new events, and what an earlier run left half moved, to user_activities.

    A time series takes part in no transaction and has no unique index, so an event is claimed first,
    then inserted unless it is there, then marked. Stopped anywhere and run again, it moves each event
    once. One run at a time.
    """
    inbox, activities = (designed(name).of(database) for name in ("activity_inbox", "user_activities"))
    claimed = [
        found["_id"]
        for found in inbox.find({"state": "new"}, {"_id": 1}, sort=[("receivedAt", 1)], limit=limit)
    ]
    inbox.update_many(
        {"_id": {"$in": claimed}, "state": "new"}, {"$set": {"state": "moving", "batchId": ObjectId()}}
    )
    moved = already_there = 0
    for batch in _batches(inbox.find({"state": "moving"}, {"event": 1}), limit):
        events = [found["event"] for found in batch]
        happened = [event["timestamp"] for event in events]
        there = {
            found["eventId"]
            for found in activities.find(
                {
                    "timestamp": {"$gte": min(happened), "$lte": max(happened)},
                    "eventId": {"$in": [event["eventId"] for event in events]},
                },
                {"_id": 0, "eventId": 1},
            )
        }
        if new := [event for event in events if event["eventId"] not in there]:
            activities.insert_many(new, ordered=False)
        inbox.update_many(
            {"_id": {"$in": [found["_id"] for found in batch]}},
            [{"$set": {"state": "moved", "movedAt": "$$NOW"}}],
        )
        moved, already_there = moved + len(new), already_there + len(there)
    return Ingested(moved, already_there)


def reserve(database: Database[Any], sku: str, warehouse: str, pieces: int) -> bool:
    """Promise *pieces* of a SKU from a warehouse; False where fewer are free.

    Condition and change are one statement on one document: of two that want the last piece one gets it.
    """
    if pieces < 1:
        raise BadInput(f"{pieces} pieces cannot be reserved: give 1 or more")
    changed = (
        designed("inventory")
        .of(database)
        .update_one(
            {
                "sku": sku,
                "warehouse": warehouse,
                "$expr": {"$gte": [{"$subtract": ["$available", "$reserved"]}, pieces]},
            },
            {"$inc": {"reserved": pieces}, "$currentDate": {"updatedAt": True}},
        )
    )
    return changed.modified_count == 1


def change_price(database: Database[Any], product: UUID, amount: Decimal, *, at: datetime) -> None:
    """Give a product a new price from *at* on; the former one goes into price_history, in one transaction.

    Raises BadInput where there is no such product or *at* is not after the beginning of its price.
    """
    products, history = (designed(name).of(database) for name in ("products", "price_history"))

    def change(session: ClientSession) -> None:
        found = products.find_one({"_id": product}, {"price": 1}, session=session)
        if found is None:
            raise BadInput(f"there is no product {product}")
        former = found["price"]
        if at <= former["validFrom"]:
            raise BadInput(
                f"the price of product {product} is from {former['validFrom']:%Y-%m-%d %H:%M:%S%z}: "
                f"the new one must begin after it, not at {at:%Y-%m-%d %H:%M:%S%z}"
            )
        ended = {"amount": former["amount"], "validFrom": former["validFrom"], "validTo": at}
        pushed = history.update_one(
            {
                "productId": product,
                "validTo": former["validFrom"],
                f"prices.{BUCKET - 1}": {"$exists": False},
            },
            {"$push": {"prices": ended}, "$set": {"validTo": at}},
            session=session,
        )
        if not pushed.matched_count:
            history.insert_one(
                {
                    "_id": uuid4(),
                    "schemaVersion": 1,
                    "productId": product,
                    "currency": former["currency"],
                    "validFrom": former["validFrom"],
                    "validTo": at,
                    "prices": [ended],
                },
                session=session,
            )
        products.update_one(
            {"_id": product},
            {
                "$set": {"price.amount": Decimal128(amount), "price.validFrom": at},
                "$max": {"updatedAt": at},
            },
            session=session,
        )

    with database.client.start_session() as session:
        session.with_transaction(change)


def price_at(database: Database[Any], product: UUID, at: datetime) -> Decimal | None:
    """What a product cost at a moment, in its currency; None before it was listed and for no product."""
    found = designed("products").of(database).find_one({"_id": product}, {"price": 1})
    if found is not None and at >= found["price"]["validFrom"]:
        current: Decimal = found["price"]["amount"].to_decimal()
        return current
    bucket = (
        designed("price_history")
        .of(database)
        .find_one({"productId": product, "validFrom": {"$lte": at}}, sort=[("validFrom", -1)])
    )
    for price in bucket["prices"] if bucket else ():
        if price["validFrom"] <= at < price["validTo"]:
            former: Decimal = price["amount"].to_decimal()
            return former
    return None


def price_gaps(database: Database[Any]) -> list[Mapping[str, Any]]:
    """Where a product has no price, or two, for a time: productId, kind, ends, begins."""
    source, stages = pipeline("price_gaps")
    return list(designed(source).of(database).aggregate(stages, allowDiskUse=True))


def wrong_summaries(database: Database[Any]) -> list[Mapping[str, Any]]:
    """Products (_id, sku) whose reviewSummary is not that of their reviews."""
    source, stages = pipeline("wrong_summaries")
    return list(designed(source).of(database).aggregate(stages, allowDiskUse=True))


def merge_carts(
    database: Database[Any],
    guest_token_hash: bytes,
    user: UUID,
    *,
    tax: Callable[[Decimal], Decimal],
    at: datetime,
) -> UUID | None:
    """Give a guest who logs in the cart that was filled before: the key of the user's open cart, if any.

    A user without an open cart gets the guest's. Else the guest's lines go into the user's cart: pieces
    of the same product are added up, to at most 99; of two prices that of the cart that changed last
    stands; shipping is the user's. The guest's cart ends as ``merged``. *tax* gives the tax on a
    subtotal. One transaction; an update names the version that it read. Raises BadInput where the carts
    are of two currencies or have more than 100 lines together.
    """

    def merge(session: ClientSession) -> UUID | None:
        guest, own = (
            _open_cart(database, owner, at=at, session=session)
            for owner in ({"guestTokenHash": guest_token_hash}, {"userId": user})
        )
        if guest is None:
            return own["_id"] if own else None
        if own is None:
            _update_cart(database, guest, {"owner": {"userId": user}}, at=at, session=session)
            found: UUID = guest["_id"]
            return found
        if guest["currency"] != own["currency"]:
            raise BadInput(
                f"the carts are in {guest['currency']} and {own['currency']}: order one of them first"
            )
        items = _merged_items(guest, own)
        if len(items) > MOST_LINES:
            raise BadInput(f"the carts have {len(items)} lines together: at most {MOST_LINES} are allowed")
        _update_cart(database, guest, {"status": "merged"}, at=at, session=session)
        changes = {"items": items, "summary": _summary(items, own["summary"]["shipping"], tax)}
        _update_cart(database, own, changes, at=at, session=session)
        kept: UUID = own["_id"]
        return kept

    with database.client.start_session() as session:
        return session.with_transaction(merge)


def _open_cart(
    database: Database[Any], owner: Mapping[str, Any], *, at: datetime, session: ClientSession
) -> dict[str, Any] | None:
    """The open cart of *owner*. One whose time is over is closed: it would stand in the way of another."""
    carts = designed("carts").of(database)
    found = carts.find_one({"owner": owner, "status": "open"}, session=session)
    if found is not None and found["expiresAt"] <= at:
        carts.update_one({"_id": found["_id"]}, {"$set": {"status": "expired"}}, session=session)
        return None
    return found


class CartChanged(BadInput):
    """Somebody else changed the cart in the meantime: read it again."""


def _update_cart(
    database: Database[Any],
    cart: Mapping[str, Any],
    changes: Mapping[str, Any],
    *,
    at: datetime,
    session: ClientSession | None = None,
) -> None:
    """Change a cart that was read as *cart*. Raises CartChanged where it is another by now."""
    changed = (
        designed("carts")
        .of(database)
        .update_one(
            {"_id": cart["_id"], "owner": cart["owner"], "version": cart["version"]},
            {
                "$set": {**changes, "updatedAt": at, "expiresAt": at + CART_LASTS},
                "$inc": {"version": Int64(1)},
            },
            session=session,
        )
    )
    if not changed.matched_count:
        raise CartChanged(
            f"the cart {cart['_id']} is no longer version {cart['version']}: read it and try again"
        )


def set_items(
    database: Database[Any],
    cart: Mapping[str, Any],
    items: list[dict[str, Any]],
    *,
    tax: Callable[[Decimal], Decimal],
    at: datetime,
) -> None:
    """Put *items* into the cart that was read as *cart*, and the sums that follow. Raises CartChanged."""
    summary = _summary(items, cart["summary"]["shipping"], tax)
    _update_cart(database, cart, {"items": items, "summary": summary}, at=at)


def _merged_items(guest: Mapping[str, Any], own: Mapping[str, Any]) -> list[dict[str, Any]]:
    earlier, later = sorted((guest, own), key=lambda cart: cart["updatedAt"])
    items = {item["productId"]: item for item in earlier["items"]}
    for item in later["items"]:
        known = items.get(item["productId"])
        pieces = min(item["quantity"] + (known["quantity"] if known else 0), MOST_PIECES)
        price = item["unitPrice"].to_decimal()
        items[item["productId"]] = {
            **item,
            "quantity": pieces,
            "totalPrice": Decimal128(pieces * price),
            "addedAt": min(item["addedAt"], known["addedAt"]) if known else item["addedAt"],
        }
    return list(items.values())


def _summary(
    items: list[dict[str, Any]], shipping: Decimal128, tax: Callable[[Decimal], Decimal]
) -> dict[str, Any]:
    subtotal = sum((item["totalPrice"].to_decimal() for item in items), Decimal(0))
    due = tax(subtotal)
    return {
        "itemCount": sum(item["quantity"] for item in items),
        "subtotal": Decimal128(subtotal),
        "tax": Decimal128(due),
        "shipping": shipping,
        "total": Decimal128(subtotal + due + shipping.to_decimal()),
    }


def _batches(documents: Any, size: int) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for document in documents:
        batch.append(document)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
