"""What the example's operations promise when several do them at once, or one stops half way.

Each proof takes an empty scratch database, puts the design in force there, and the operation as an
argument, so that another way to do the same can be held against the same claim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from bson import Decimal128, Int64, ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from workbench.areas.nosql import operations
from workbench.areas.nosql.operations import CartChanged
from workbench.documents.example.designs import apply_design, designed
from workbench.proof.documents.at_once import at_once
from workbench.proof.documents.claims import Claim

Documents = Database[dict[str, Any]]
Reserve = Callable[[Documents, str, str, int], bool]
Ingest = Callable[[Documents], Any]
SetItems = Callable[..., None]
BUYERS = 8
PIECES = 5


def prove_operations(database: Documents) -> list[Claim]:
    """The claims on reservations, carts and ingestion, on documents of their own in *database*."""
    apply_design(database)
    return [
        prove_reservation(database),
        prove_cart_version(database),
        prove_cart_merge(database),
        *prove_ingest(database),
    ]


def prove_reservation(database: Documents, *, reserve: Reserve = operations.reserve) -> Claim:
    """Whether of several buyers at once no more get a piece than there are pieces."""
    sku, warehouse = f"PROOF-{uuid4().hex[:8].upper()}", "PROOF"
    inventory = designed("inventory").of(database)
    inventory.insert_one(
        {
            "schemaVersion": 1,
            "productId": uuid4(),
            "sku": sku,
            "warehouse": warehouse,
            "available": PIECES,
            "reserved": 0,
            "sourceVersion": 1,
            "updatedAt": datetime.now(UTC),
        }
    )
    answers = at_once([lambda: reserve(database, sku, warehouse, 1)] * BUYERS)
    promised = sum(answer is True for answer in answers)
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    found = inventory.find_one({"sku": sku}) or {}
    return Claim(
        f"of {BUYERS} buyers at once {PIECES} get the last {PIECES} pieces, and no more",
        promised == PIECES and found.get("reserved") == PIECES and not errors,
        f"{promised} were promised a piece, {found.get('reserved')} are reserved"
        + (f"; {len(errors)} met an error: {errors[0]}" if errors else ""),
        {"promised": promised, "reserved": found.get("reserved"), "buyers": BUYERS},
    )


def prove_cart_version(database: Documents, *, set_items: SetItems = operations.set_items) -> Claim:
    """Whether of two writers that read the same version of a cart the second is told so."""
    carts = designed("carts").of(database)
    cart = _cart({"userId": uuid4()}, [_item(uuid4(), 1)])
    carts.insert_one(cart)
    read = carts.find_one({"_id": cart["_id"]}) or {}
    wanted = [[_item(uuid4(), 2)], [_item(uuid4(), 3)]]

    def write(items: list[dict[str, Any]]) -> None:
        set_items(database, read, items, tax=_tax, at=datetime.now(UTC))

    answers = at_once([partial(write, items) for items in wanted])
    refused = sum(isinstance(answer, CartChanged) for answer in answers)
    others = [each for each in answers if isinstance(each, Exception) and not isinstance(each, CartChanged)]
    after = carts.find_one({"_id": cart["_id"]}) or {}
    return Claim(
        "of two writers that have read the same version of a cart one is refused",
        refused == 1 and not others and after.get("version") == cart["version"] + 1,
        f"{refused} was refused; the version went from {cart['version']} to {after.get('version')}"
        + (f"; {others[0]}" if others else ""),
        {"refused": refused, "version": after.get("version")},
    )


def prove_cart_merge(database: Documents) -> Claim:
    """Whether a guest's cart is merged by the rule: pieces added up, one open cart, sums right."""
    carts = designed("carts").of(database)
    user, token, shared, other = uuid4(), uuid4().bytes * 2, uuid4(), uuid4()
    own = _cart({"userId": user}, [_item(shared, 60)])
    guest = _cart({"guestTokenHash": token}, [_item(shared, 50), _item(other, 1)])
    carts.insert_many([own, guest])
    operations.merge_carts(database, token, user, tax=_tax, at=datetime.now(UTC))
    merged, left = (carts.find_one({"_id": each["_id"]}) or {} for each in (own, guest))
    pieces = {item["productId"]: item["quantity"] for item in merged.get("items", ())}
    still_open = carts.count_documents(
        {"status": "open", "owner": {"$in": [{"userId": user}, {"guestTokenHash": token}]}}
    )
    holds = pieces == {shared: 99, other: 1} and left.get("status") == "merged" and still_open == 1
    return Claim(
        "a guest's cart is merged into the user's: pieces are added up to 99, and one cart stays open",
        holds,
        f"60 and 50 pieces became {pieces.get(shared)}, {len(pieces)} lines, {still_open} open cart",
        {"open_carts": still_open, "lines": len(pieces)},
    )


def prove_ingest(database: Documents, *, ingest: Ingest = operations.ingest) -> list[Claim]:
    """Whether an event that comes twice, and one whose move stopped half way, is there once."""
    inbox, activities = (designed(name).of(database) for name in ("activity_inbox", "user_activities"))
    event = uuid4()
    inbox.insert_one(_arrived(event))
    code = None
    try:
        inbox.insert_one(_arrived(event))
    except DuplicateKeyError as exc:
        code = exc.code
    ingest(database)
    once = activities.count_documents({"eventId": event})
    # as if the run had stopped after the insertion and before it was marked
    inbox.update_one(
        {"event.eventId": event},
        {"$set": {"state": "moving", "batchId": ObjectId()}, "$unset": {"movedAt": ""}},
    )
    ingest(database)
    after_stop = activities.count_documents({"eventId": event})
    return [
        Claim(
            "an event that comes twice is refused the second time, though a time series has no unique index",
            code == 11000 and once == 1,
            f"refused with {code}; {once} in the time series",
            {"code": code, "events": once},
        ),
        Claim(
            "a run of the ingestion that stopped half way is made good by the next, each event once",
            after_stop == 1,
            f"{after_stop} in the time series after the second run",
            {"events": after_stop},
        ),
    ]


def _tax(subtotal: Decimal) -> Decimal:
    return (subtotal * Decimal("0.08")).quantize(Decimal("0.0001"))


def _item(product: UUID, pieces: int) -> dict[str, Any]:
    price = Decimal("2.50")
    return {
        "productId": product,
        "sku": f"PROOF-{product.hex[:8].upper()}",
        "name": "proof",
        "quantity": pieces,
        "unitPrice": Decimal128(price),
        "totalPrice": Decimal128(price * pieces),
        "addedAt": datetime.now(UTC),
    }


def _cart(owner: Mapping[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    """An open cart of *owner*, with the sums that its validator asks for."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    subtotal = sum((item["totalPrice"].to_decimal() for item in items), Decimal(0))
    tax = _tax(subtotal)
    return {
        "_id": uuid4(),
        "schemaVersion": 1,
        "owner": dict(owner),
        "status": "open",
        "version": Int64(1),
        "currency": "USD",
        "items": items,
        "summary": {
            "itemCount": sum(item["quantity"] for item in items),
            "subtotal": Decimal128(subtotal),
            "tax": Decimal128(tax),
            "shipping": Decimal128("0"),
            "total": Decimal128(subtotal + tax),
        },
        "createdAt": now,
        "updatedAt": now,
        "expiresAt": now + operations.CART_LASTS,
    }


def _arrived(event: UUID) -> dict[str, Any]:
    """An event in the inbox, as it arrives."""
    now = datetime.now(UTC)
    return {
        "schemaVersion": 1,
        "state": "new",
        "receivedAt": now,
        "event": {
            "timestamp": now,
            "source": {"channel": "web", "device": "desktop", "country": "KW"},
            "eventId": event,
            "eventType": "page_view",
        },
    }
