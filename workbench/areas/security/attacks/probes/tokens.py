"""Probe 4, second part: tokens that were signed with the true key, for another time, role or database."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence

from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.running import TOKEN_SETTING, attacking, attempt, statement
from workbench.areas.security.attacks.probes.scene import Owned, Scene

_PARTS = 8  # v1.key.identity.role.database.begins.expires.mac
_HOUR_S = 3600


def replayed_tokens(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """4: a token of B that was true once or elsewhere: expired, of another role, database or key.

    They are signed with the pads that a superuser reads, which an attacker cannot; a token that is true
    here and now is tried first, so that the refusals are known to be for what was changed.
    """
    identities = scene.target.identities
    with attacking(scene.target, app, identities.a) as session:
        token = session.run("rows.current_setting", {"setting": TOKEN_SETTING}).value or ""
    parts = token.split(".")
    pads = _pads(scene, parts[1]) if len(parts) == _PARTS and parts[0] == "v1" else None
    if pads is None:
        if token:
            scene.left_out.append(
                "probe 4: not applicable to replayed tokens: the target has tokens of its own kind"
            )
        return
    now = int(time.time())
    begins, ends = str(now - _HOUR_S), str(now + _HOUR_S)
    true = ["v1", parts[1], identities.b.encode().hex(), parts[3], parts[4], begins, ends]
    for name, position, value in (
        ("a true token of the other identity", None, ""),
        ("an expired token of the other identity", 6, str(now - 60)),
        ("a token of the other identity that begins later", 5, str(now + 60)),
        ("a token of the other identity for another role", 3, b"another role".hex()),
        ("a token of the other identity for another database", 4, b"another database".hex()),
        ("a token of the other identity under an unknown key", 1, "unknown"),
    ):
        changed = [value if place == position else part for place, part in enumerate(true)]
        with attacking(scene.target, app) as session:
            session.run("rows.setting", {"setting": TOKEN_SETTING, "value": _signed(changed, pads)})
            sent = session.run(
                "rows.count", {"keys": list(subject.b)}, table=subject.identifier, key=subject.key
            )
            yield attempt(
                "4",
                name,
                app,
                sent,
                reached=bool(sent.value),
                declared="allowed" if position is None else "refused",
                identity="B" if position is None else "A",
                table=subject.name,
                operation="select",
                row="own" if position is None else "other",
                rows=sent.value,
            )


def _signed(parts: Sequence[str], pads: tuple[bytes, bytes]) -> str:
    text = ".".join(parts)
    inner = hashlib.sha256(pads[0] + text.encode()).digest()
    return f"{text}.{hashlib.sha256(pads[1] + inner).hexdigest()}"


def _pads(scene: Scene, key_id: str) -> tuple[bytes, bytes] | None:
    """The inner and outer pad (RFC 2104) of the key, as a superuser reads them; None where there are none."""
    tables = scene.conn.execute(statement("extras.schema_tables"), {"schema": scene.intent.schema}).fetchall()
    if ("token_keys",) not in tables:
        return None
    query = statement("extras.pads", table=sql.Identifier(scene.intent.schema, "token_keys"))
    found = scene.conn.execute(query, {"key_id": key_id}).fetchone()
    return (bytes(found[0]), bytes(found[1])) if found else None
