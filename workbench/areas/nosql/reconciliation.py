"""Whether the shop in PostgreSQL and its collections know the same products and users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection
from pymongo.database import Database

from workbench import sql
from workbench.documents.example.build import snapshot
from workbench.documents.example.designs import designed, pipeline

_BATCH = 10_000


@dataclass(frozen=True)
class Missing:
    """Of one kind of key: how many both sides have, and how many one of them alone."""

    in_both: int
    only_in_postgresql: int
    only_in_collections: int


@dataclass(frozen=True)
class Reconciliation:
    """*products* should agree; a user without cart, session and review is in PostgreSQL alone."""

    products: Missing
    users: Missing

    @property
    def holds(self) -> bool:
        """Whether the collections name no key that PostgreSQL does not have, and lack no product."""
        return not (
            self.products.only_in_postgresql
            or self.products.only_in_collections
            or self.users.only_in_collections
        )


def reconcile(pg: Connection, database: Database[Any]) -> Reconciliation:
    """Count the keys that one side has and the other has not.

    Both sides give their keys in order (a UUID of subtype 4 sorts as in PostgreSQL, by its bytes), and the
    two streams are merged: nothing is written and memory stays the same. Raises BadInput where *pg* is
    inside a transaction.
    """
    source, stages = pipeline("known_users")
    with snapshot(pg):
        return Reconciliation(
            products=_compared(
                _keys(pg, "nosql/product_keys.sql"),
                (
                    found["_id"]
                    for found in designed("products").of(database).find({}, {"_id": 1}, sort=[("_id", 1)])
                ),
            ),
            users=_compared(
                _keys(pg, "nosql/user_keys.sql"),
                (
                    found["_id"]
                    for found in designed(source).of(database).aggregate(stages, allowDiskUse=True)
                ),
            ),
        )


def _keys(pg: Connection, file: str) -> Iterator[UUID]:
    with pg.cursor(name="keys") as cur:
        cur.itersize = _BATCH
        cur.execute(sql.read(file))
        for (key,) in cur:
            yield UUID(key)


def _compared(ours: Iterable[UUID], theirs: Iterable[UUID]) -> Missing:
    """Both in ascending order, each key once."""
    left, right = iter(ours), iter(theirs)
    in_both = only_left = only_right = 0
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if one == other:
            in_both += 1
            one, other = next(left, None), next(right, None)
        elif other is None or (one is not None and one < other):
            only_left += 1
            one = next(left, None)
        else:
            only_right += 1
            other = next(right, None)
    return Missing(in_both, only_left, only_right)
