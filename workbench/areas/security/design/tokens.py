"""Signed tokens: for whom a program acts, which role and database it is for, and until when."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from psycopg2 import sql as composed

from workbench.areas.security.design.applying import transaction
from workbench.areas.security.design.text import keeper_name, template
from workbench.areas.security.intent.model import Intent
from workbench.engines.postgres import Connection
from workbench.errors import BadInput

SETTING = "app.token"
_BLOCK_BYTES = 64  # of SHA-256 (FIPS 180-4), to which RFC 2104 pads the key
_KEY_ID = re.compile(r"[a-z0-9_-]{1,32}\Z")
_LONGEST = 2000
_PG16 = 160_000


@dataclass(frozen=True)
class TokenKey:
    """A key of tokens: 32 random bytes under an id, valid from *not_before* to before *not_after*."""

    id: str
    secret: bytes = field(repr=False)
    not_before: datetime | None = None
    not_after: datetime | None = None

    def __post_init__(self) -> None:
        if not _KEY_ID.match(self.id):
            raise BadInput(f"key id {self.id!r} cannot be: take 1 to 32 of a-z, 0-9, _ and -")
        if len(self.secret) < 32:
            raise BadInput(f"the secret of key {self.id} has {len(self.secret)} bytes: it needs 32")


def new_key(
    key_id: str | None = None, *, not_before: datetime | None = None, not_after: datetime | None = None
) -> TokenKey:
    """A key of 32 random bytes; without *key_id* under a random id."""
    return TokenKey(key_id or secrets.token_hex(6), secrets.token_bytes(32), not_before, not_after)


def sign_token(
    key: TokenKey,
    identity: str,
    *,
    role: str,
    database: str,
    lifetime_s: float,
    now: datetime | None = None,
) -> str:
    """A token that proves *identity* when *role* shows it to *database*, for *lifetime_s* seconds."""
    if lifetime_s <= 0:
        raise BadInput(f"a lifetime of {lifetime_s} s cannot be: give more than 0")
    if not (identity and role and database):
        raise BadInput("a token needs an identity, a role and a database")
    begins = int((now or datetime.now(UTC)).timestamp())
    names = (each.encode().hex() for each in (identity, role, database))
    signed = ".".join(("v1", key.id, *names, str(begins), str(begins + max(1, int(lifetime_s)))))
    token = f"{signed}.{hmac.new(key.secret, signed.encode(), hashlib.sha256).hexdigest()}"
    if len(token) >= _LONGEST:
        raise BadInput(f"a token of {len(token)} characters is too long: the identity has {len(identity)}")
    return token


def install_token_key(conn: Connection, key: TokenKey, *, intent: Intent) -> None:
    """Let the database behind *conn* accept tokens of *key*, beside those of other keys.

    The pads travel as COPY data, which no log of statements and no statistics hold. They are in the table
    then, in its backups and in the WAL: the keeper and a superuser can sign. Raises BadInput for an id
    that is there with another secret.
    """
    secret = key.secret if len(key.secret) <= _BLOCK_BYTES else hashlib.sha256(key.secret).digest()
    padded = secret.ljust(_BLOCK_BYTES, b"\0")
    pads = [bytes(byte ^ pad for byte in padded).hex() for pad in (0x36, 0x5C)]
    begins = key.not_before.isoformat() if key.not_before else "-infinity"
    ends = key.not_after.isoformat() if key.not_after else "infinity"
    line = "\t".join((key.id, *(rf"\\x{pad}" for pad in pads), begins, ends)) + "\n"
    with _as_keeper(conn, intent) as table:
        taken = conn.execute(
            composed.SQL("select from {} where key_id = %s").format(table), [key.id]
        ).fetchone()
        if taken is not None:
            raise BadInput(f"key {key.id} is installed already: make a new one under another id")
        statement = composed.SQL("copy {} (key_id, inner_pad, outer_pad, not_before, not_after) from stdin")
        with conn.cursor() as cur:
            cur.copy_expert(statement.format(table), io.StringIO(line))


def retire_token_key(
    conn: Connection, key_id: str, *, intent: Intent, not_after: datetime | None = None
) -> None:
    """No token of the key is accepted from *not_after* on (None: now). Raises BadInput for no such key."""
    with _as_keeper(conn, intent) as table:
        statement = composed.SQL(template("retire_token_key")).format(table=table)
        if conn.execute(statement, {"key": key_id, "ends": not_after}).rowcount == 0:
            raise BadInput(f"there is no key {key_id} to retire")


@contextlib.contextmanager
def _as_keeper(conn: Connection, intent: Intent) -> Iterator[composed.Identifier]:
    """A transaction in which the login is a member of the keeper; gives the table of keys."""
    keeper = composed.Identifier(keeper_name(intent))
    with transaction(conn):
        options = " with inherit true, set true" if conn.server_version >= _PG16 else ""
        conn.execute(composed.SQL("grant {} to current_user" + options).format(keeper))
        yield composed.Identifier(intent.schema, "token_keys")
        conn.execute(composed.SQL("revoke {} from current_user").format(keeper))
