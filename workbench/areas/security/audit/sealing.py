"""Evidence that the trail is as it was: seals in the database, their anchors kept outside of it."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import psycopg2
from psycopg2 import sql as composing

from workbench import sql
from workbench.areas.security.audit.parts import fragment
from workbench.engines.postgres import Connection
from workbench.errors import BadInput

TamperingKind = Literal[
    "changed",
    "deleted",
    "inserted",
    "month gone",
    "chain broken",
    "chain rewritten",
    "seal gone",
    "anchor forged",
]


@dataclass(frozen=True)
class Anchor:
    """What the caller keeps outside of the database: the hash of a seal, which covers all before it.

    *entries* counts the entries of all seals up to *seal_id*; *to_transaction* is the first transaction that
    the seal does not cover. *signature* is an HMAC-SHA-256 in hexadecimal, empty where it was not signed.
    """

    seal_id: int
    sealed_at: datetime
    to_transaction: int
    entries: int
    hash: str
    signature: str = ""


@dataclass(frozen=True)
class Retirement:
    """A month of the trail that is in *file* now; *sha256* is the file's. Keep it with the anchors.

    *table* is the detached partition, *dropped* whether it is gone. *anchor* is of the seal that covers it.
    """

    month: date
    entries: int
    file: str
    sha256: str
    table: str
    dropped: bool
    anchor: Anchor


@dataclass(frozen=True)
class Tampering:
    """What is not as it was sealed. The seal *seal_id* covers transactions *first* to *last* and is the first
    bad one of its kind, or the first anchor that disagrees; *month* where it is one month's entries.

    *found* and *sealed* are counts of entries; None where it is the chain.
    """

    kind: TamperingKind
    seal_id: int
    first_transaction: int | None
    last_transaction: int | None
    month: date | None = None
    sealed: int | None = None
    found: int | None = None
    detail: str = ""


def seal(conn: Connection, *, schema: str = "audit") -> Anchor:
    """Seal the entries of all transactions that ended since the last seal, and return the anchor to keep.

    Nobody who writes waits for it: a transaction that still runs, and all that began after it, are left to a
    later seal. Raises BadInput where the trail was restored into another cluster.
    """
    query = composing.SQL(
        "select seal_id, sealed_at, to_transaction::text, total_entries, hash from {}.seal()"
    )
    try:
        row = conn.execute(query.format(composing.Identifier(schema))).fetchone()
    except psycopg2.errors.ObjectNotInPrerequisiteState as exc:
        raise BadInput(f"{exc.diag.message_primary}: {exc.diag.message_hint}") from exc
    assert row is not None
    seal_id, sealed_at, to_transaction, entries, digest = row
    return Anchor(seal_id, sealed_at, int(to_transaction), entries, bytes(digest).hex())


def unsealed_entries(conn: Connection, *, schema: str = "audit") -> int:
    """How many entries no seal covers yet: until then nothing shows that one of them was changed."""
    query = composing.SQL(
        """
        select count(*)
        from {schema}.log l
        where l.transaction_id >= coalesce((select max(s.to_transaction) from {schema}.seals s), '0')
        """
    )
    row = conn.execute(query.format(schema=composing.Identifier(schema))).fetchone()
    return int(row[0]) if row else 0


def verify(
    conn: Connection,
    anchors: Iterable[Anchor],
    *,
    key: bytes | None = None,
    retired: Sequence[Retirement] = (),
    schema: str = "audit",
) -> list[Tampering]:
    """What was tampered with since it was sealed, the first bad seal of each kind; empty where nothing was.

    Every seal is computed again from the entries, by no function of the trail's own schema. That shows who
    changes, deletes, inserts or reorders entries; who can compute the seals again as well is shown by the
    *anchors* alone. With *key* their signatures are checked. The months of *retired* need not be there.
    """
    found: list[Tampering] = []
    trusted = []
    for anchor in sorted(anchors, key=lambda each: each.seal_id):
        if key is not None and not hmac.compare_digest(sign(anchor, key).signature, anchor.signature):
            found.append(
                Tampering("anchor forged", anchor.seal_id, None, None, detail="its signature is not ours")
            )
        else:
            trusted.append(anchor)
    seals = _recomputed(conn, schema)
    found += _against_anchors(seals, trusted)
    found += _broken_links(seals)
    found += _changed_entries(seals, {each.month for each in retired})
    return found


def _recomputed(conn: Connection, schema: str) -> list[dict[str, Any]]:
    query = composing.SQL(sql.read("security/audit/verify.sql")).format(
        audit=composing.Identifier(schema),
        entry_hash=fragment("entry_hash.sql"),
        seal_hash=fragment("seal_hash.sql"),
    )
    names = ("seal_id", "first", "end", "hash", "chained", "hash_as_computed", "months")
    seals = [dict(zip(names, row, strict=True)) for row in conn.execute(query).fetchall()]
    for each in seals:
        each |= {"first": int(each["first"]), "last": int(each["end"]) - 1, "hash": bytes(each["hash"]).hex()}
    return seals


def _against_anchors(seals: Sequence[dict[str, Any]], anchors: Sequence[Anchor]) -> list[Tampering]:
    by_id = {each["seal_id"]: each for each in seals}
    agreed = 0
    for anchor in anchors:
        there = by_id.get(anchor.seal_id)
        if there is None:
            return [
                Tampering(
                    "seal gone",
                    anchor.seal_id,
                    None,
                    anchor.to_transaction - 1,
                    detail=f"sealed at {anchor.sealed_at}",
                )
            ]
        if there["hash"] != anchor.hash:
            first = by_id[agreed + 1]["first"] if agreed + 1 in by_id else None
            detail = f"the seal has another hash than its anchor; the last that agrees is {agreed or 'none'}"
            return [
                Tampering("chain rewritten", anchor.seal_id, first, anchor.to_transaction - 1, detail=detail)
            ]
        agreed = anchor.seal_id
    return []


def _broken_links(seals: Sequence[dict[str, Any]]) -> list[Tampering]:
    for each in seals:
        if not each["chained"] or not each["hash_as_computed"]:
            detail = (
                "it does not follow from the seal before it"
                if not each["chained"]
                else "its hash is not its own"
            )
            return [Tampering("chain broken", each["seal_id"], each["first"], each["last"], detail=detail)]
    return []


def _changed_entries(seals: Sequence[dict[str, Any]], retired: set[date]) -> list[Tampering]:
    there = {month["month"] for each in seals for month in each["months"] if month["found"]}
    first: dict[tuple[str, date | None], Tampering] = {}
    for each in seals:
        for month in each["months"]:
            when = date.fromisoformat(month["month"])
            if month["same"] or (when in retired and not month["found"]):
                continue
            kind = _kind(month, gone=month["month"] not in there)
            tampering = Tampering(
                kind, each["seal_id"], each["first"], each["last"], when, month["declared"], month["found"]
            )
            first.setdefault((kind, when if kind == "month gone" else None), tampering)
    return sorted(first.values(), key=lambda each: (each.seal_id, each.kind))


def _kind(month: dict[str, Any], *, gone: bool) -> TamperingKind:
    if gone:
        return "month gone"
    if month["found"] < month["declared"]:
        return "deleted"
    return "inserted" if month["found"] > month["declared"] else "changed"


def sign(anchor: Anchor, key: bytes) -> Anchor:
    """*anchor* with the HMAC of everything in it under *key*, which must never be in the database."""
    unsigned = json.dumps(_as_json(dataclasses.replace(anchor, signature="")), sort_keys=True).encode()
    return dataclasses.replace(anchor, signature=hmac.new(key, unsigned, hashlib.sha256).hexdigest())


def keep_anchor(anchor: Anchor, path: Path, key: bytes) -> Anchor:
    """Sign *anchor* and add it to the file *path*, one JSON document a line."""
    signed = sign(anchor, key)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(_as_json(signed), sort_keys=True) + "\n")
    return signed


def kept_anchors(path: Path) -> list[Anchor]:
    """The anchors of the file *path*; raises BadInput with the line where it is none."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            fields = json.loads(line)
            found.append(Anchor(**{**fields, "sealed_at": datetime.fromisoformat(fields["sealed_at"])}))
        except (ValueError, TypeError, KeyError) as exc:
            raise BadInput(
                f"{path}:{number}: this is no anchor: keep one JSON document a line ({exc})"
            ) from exc
    return found


def _as_json(anchor: Anchor) -> dict[str, object]:
    return {**dataclasses.asdict(anchor), "sealed_at": anchor.sealed_at.isoformat()}
