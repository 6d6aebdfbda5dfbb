"""Probes 1 to 6, 9, 14, 15 and 17: rows of another identity, by SQL alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.running import (
    GUESSED_SETTINGS,
    TOKEN_SETTING,
    WRITTEN_BY_NOBODY,
    Sent,
    Session,
    attacking,
    attempt,
    identity_settings,
    staged,
)
from workbench.areas.security.attacks.probes.scene import (
    Owned,
    Scene,
    names,
)
from workbench.catalog.model import Column


def no_identity(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """1: no identity, or an empty one such as a transaction's own setting leaves behind."""
    with attacking(scene.target, app) as session:
        sent = _counting(session, subject, subject.a + subject.b)
        yield _counted("1", "no identity was ever set", app, sent, subject, identity="")
    with attacking(scene.target, app, scene.target.identities.a) as session:
        for setting in identity_settings(scene.target):
            session.run("rows.empty_setting", {"setting": setting})
        sent = _counting(session, subject, subject.a + subject.b)
        yield _counted("1", "the identity is empty", app, sent, subject, identity="")
    insertable = insertable_of(scene, app)
    if insertable is None:
        scene.left_out.append(f"probe 1: not applicable: {app} may insert no rows of its own")
        return
    with attacking(scene.target, app) as session:
        sent = insert_row(scene, session, insertable, insertable.a[0])
        yield attempt(
            "1",
            "insert without an identity",
            app,
            sent,
            reached=sent.accepted,
            identity="",
            table=insertable.name,
            operation="insert",
        )


def rows_of_another(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """2: the identity A reads, changes, locks, merges and deletes rows of B."""
    a = scene.target.identities.a
    with attacking(scene.target, app, a) as session:
        for owned in scene.owned:
            sent = _counting(session, owned, owned.b)
            yield _counted("2", "read another's rows", app, sent, owned)
    for owned in (subject, *(each for each in scene.owned if each is not subject)):
        with attacking(scene.target, app, a) as session:
            column = sql.Identifier(scene.writable_column(app, owned))
            for name, operation in (
                ("lock_rows", "select"),
                ("update", "update"),
                ("merge", "update"),
                ("delete", "delete"),
            ):
                sent = session.run(
                    f"rows.{name}",
                    {"keys": list(owned.b)},
                    table=owned.identifier,
                    key=owned.key,
                    column=column,
                )
                yield attempt(
                    "2",
                    f"{name.removesuffix('_rows')} another's rows",
                    app,
                    sent,
                    reached=(sent.accepted and sent.rowcount > 0) or sent.sqlstate[:2] == "23",
                    table=owned.name,
                    operation=operation,
                    row="other",
                    rows=sent.rowcount if sent.accepted else None,
                )


def rows_for_another(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """3: the identity A inserts rows for B, and gives a row of its own to B."""
    identities = scene.target.identities
    insertable = insertable_of(scene, app)
    if insertable is None:
        scene.left_out.append(f"probe 3: not applicable: {app} may insert no rows of its own")
    else:
        with attacking(scene.target, app, identities.a) as session:
            sent = insert_row(scene, session, insertable, insertable.b[0])
            yield attempt(
                "3",
                "insert a row for another",
                app,
                sent,
                reached=sent.accepted,
                table=insertable.name,
                operation="insert",
                row="other",
            )
    for owned in scene.owned:
        column = scene.owner_column(owned.name)
        if column is None:
            continue
        with attacking(scene.target, app, identities.a) as session:
            sent = session.run(
                "rows.hand_over",
                {"keys": list(owned.a), "identity": identities.b},
                table=owned.identifier,
                key=owned.key,
                column=sql.Identifier(column),
            )
            yield attempt(
                "3",
                "give an own row to another",
                app,
                sent,
                reached=sent.accepted and sent.rowcount > 0,
                table=owned.name,
                operation="update",
                row="own",
                rows=sent.rowcount if sent.accepted else None,
                expected=WRITTEN_BY_NOBODY,
            )


def forged_identity(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """4: the identity is written into settings by hand: bare, edited, with a made-up signature."""
    identities = scene.target.identities
    if scene.target.settings:
        with attacking(scene.target, app, identities.a) as session:
            scene.target.assume(session.conn, identities.b)
            sent = _counting(session, subject, subject.b)
            name = f"{', '.join(scene.target.settings)} set to the other identity"
            yield _counted("4", name, app, sent, subject)
    for setting in GUESSED_SETTINGS:
        yield from _forged(scene, app, subject, f"{setting} = the other identity", {setting: identities.b})
    with attacking(scene.target, app, identities.a) as session:
        token = session.run("rows.current_setting", {"setting": TOKEN_SETTING}).value or ""
    bare = {TOKEN_SETTING: identities.b}
    yield from _forged(scene, app, subject, "the bare identity as token", bare)
    if not token:
        scene.left_out.append("probe 4: not applicable: the target has no signed token that could be edited")
        return
    edited = token.replace(identities.a, identities.b)
    if edited == token:
        edited = token.replace(identities.a.encode().hex(), identities.b.encode().hex())
    yield from _forged(scene, app, subject, "the identity in a valid token replaced", {TOKEN_SETTING: edited})
    unsigned = re.sub(r"[0-9a-fA-F]{64}", "0" * 64, edited)
    yield from _forged(scene, app, subject, "a signature of zeros", {TOKEN_SETTING: unsigned})
    shorter = re.sub(r"[0-9a-fA-F]{64}", "", edited)
    yield from _forged(scene, app, subject, "an empty signature", {TOKEN_SETTING: shorter})
    flipped = token[:-1] + ("0" if token[-1] != "0" else "1")
    with attacking(scene.target, app) as session:
        session.run("rows.setting", {"setting": TOKEN_SETTING, "value": flipped})
        sent = _counting(session, subject, subject.a)
        yield _counted("4", "an own token with its last character changed", app, sent, subject)


def _forged(scene: Scene, app: str, subject: Owned, name: str, settings: dict[str, str]) -> Iterator[Attempt]:
    with attacking(scene.target, app, scene.target.identities.a) as session:
        for setting, value in settings.items():
            session.run("rows.setting", {"setting": setting, "value": value})
        sent = _counting(session, subject, subject.b)
        yield _counted("4", name, app, sent, subject)


def owner_reads(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """5: the tables' owner, whom row security does not bind unless it is forced."""
    for owned in scene.owned:
        owner = scene.actual_owner(owned.name)
        with staged(scene.target) as session:
            session.become(owner, assume=False)
            sent = _counting(session, owned, owned.b)
            yield _counted("5", "the owner reads", owner, sent, owned, identity="")
    owner = scene.actual_owner(subject.name)
    with staged(scene.target) as session:
        session.become(owner, assume=False)
        session.run("rows.no_force", table=subject.identifier)
        sent = _counting(session, subject, subject.b)
        yield attempt(
            "5",
            "the owner takes FORCE off first",
            owner,
            sent,
            reached=bool(sent.value),
            declared="residual",
            identity="",
            table=subject.name,
            operation="select",
            rows=sent.value,
            detail=f"{sent.value or 0} rows of another: an owner may alter its table; nobody logs in as it",
        )


def row_security_off(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """6: the attacker switches row security off for its session."""
    with attacking(scene.target, app, scene.target.identities.a) as session:
        session.run("rows.row_security_off")
        for owned in scene.owned:
            sent = _counting(session, owned, owned.b)
            yield _counted("6", "row_security = off", app, sent, owned)


def error_oracle(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """9: an expression that fails on hidden rows only tells that they are there."""
    with attacking(scene.target, app, scene.target.identities.a) as session:
        for owned in scene.owned:
            sent = session.run(
                "rows.error_oracle", {"keys": list(owned.b)}, table=owned.identifier, key=owned.key
            )
            yield attempt(
                "9",
                "division by zero on another's rows",
                app,
                sent,
                reached=sent.sqlstate == "22012",
                table=owned.name,
                operation="select",
                row="other",
            )


def copies(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """14: COPY TO must be filtered like a SELECT; COPY FROM has no filter and must be refused."""
    with attacking(scene.target, app, scene.target.identities.a) as session:
        for owned in scene.owned:
            keys = names(owned.keys)
            whole = owned.table.kind == "partitioned table"  # COPY TO takes none, but a query of it
            form = "copy (select {1} from {0}) to stdout" if whole else "copy {0} ({1}) to stdout"
            sent = session.copy_out(sql.SQL(form).format(owned.identifier, keys))
            hidden = {key.strip("()").replace(",", "\t").replace('"', "") for key in owned.b}
            reached = sum(line in hidden for (line,) in sent.rows)
            yield attempt(
                "14",
                "COPY TO of another's rows",
                app,
                sent,
                reached=reached > 0,
                table=owned.name,
                operation="select",
                row="other",
                rows=reached,
            )
    insertable = insertable_of(scene, app)
    if insertable is None:
        scene.left_out.append(f"probe 14: not applicable to COPY FROM: {app} may insert no rows of its own")
        return
    columns, values = new_row(scene, insertable, insertable.b[0])
    line = "\t".join("\\N" if value is None else value for value in values) + "\n"
    with attacking(scene.target, app, scene.target.identities.a) as session:
        sent = session.copy_in(
            sql.SQL("copy {} ({}) from stdin").format(insertable.identifier, names(columns)), line
        )
        yield attempt(
            "14",
            "COPY FROM of a row for another",
            app,
            sent,
            reached=sent.accepted,
            table=insertable.name,
            operation="insert",
            row="other",
        )


def truncates(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """15: TRUNCATE knows no row security: who has the privilege empties the table."""
    for role in scene.logins:
        with attacking(scene.target, role.name, identity_of(scene, role.identified)) as session:
            sent = session.run("rows.truncate", table=subject.identifier)
            yield attempt(
                "15",
                "truncate",
                role.name,
                sent,
                reached=sent.accepted or not sent.lacks_privilege,
                identity=letter_of(role.identified),
                table=subject.name,
                operation="truncate",
                row="any",
            )


def prepared(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """17: a prepared statement with a generic plan goes on for another identity, and for another role."""
    identities = scene.target.identities
    with attacking(scene.target, app, identities.b) as session:
        session.run("rows.generic_plan")
        session.run("rows.prepare", table=subject.identifier, key=subject.key)
        as_b = session.run("rows.execute", {"keys": list(subject.b)})
        scene.target.assume(session.conn, identities.a)
        sent = session.run("rows.execute", {"keys": list(subject.b)})
        yield attempt(
            "17",
            "prepared for another identity",
            app,
            sent,
            reached=bool(sent.value),
            table=subject.name,
            operation="select",
            row="other",
            rows=sent.value,
            detail=f"{as_b.value} rows for their owner, {sent.value} after the change of identity",
        )
    with staged(scene.target) as session:
        session.run("rows.generic_plan")
        session.run("rows.prepare", table=subject.identifier, key=subject.key)
        before = session.run("rows.execute", {"keys": list(subject.b)})
        session.become(app, identities.a)
        sent = session.run("rows.execute", {"keys": list(subject.b)})
        yield attempt(
            "17",
            "prepared by a superuser",
            app,
            sent,
            reached=bool(sent.value),
            table=subject.name,
            operation="select",
            row="other",
            rows=sent.value,
            detail=f"{before.value} rows for the superuser, {sent.value} after the change of role",
        )


def new_row(scene: Scene, owned: Owned, like: str) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """Columns and values of a row as the row *like*, under a new key where the table makes its own."""
    columns: tuple[Column, ...] = scene.needed_columns(owned)
    named = tuple(each.name for each in columns)
    values = scene.row_values(owned, like, named)
    unique = {name for key in scene.unique_keys(owned) for name in key}
    fresh = tuple(
        f"WB{hashlib.sha256(f'{like} {each.name}'.encode()).hexdigest()[:10].upper()}"
        if each.name in unique and each.base_type in ("text", "character varying")
        else value
        for each, value in zip(columns, values, strict=True)
    )
    return named, fresh


def insert_row(scene: Scene, session: Session, owned: Owned, like: str) -> Sent:
    """An insert of a row as the row *like*, which may be anybody's."""
    columns, values = new_row(scene, owned, like)
    return session.run(
        "rows.insert",
        table=owned.identifier,
        columns=names(columns),
        values=sql.SQL(", ").join(map(sql.Literal, values)),
    )


def insertable_of(scene: Scene, app: str) -> Owned | None:
    found = [each for each in scene.owned if scene.may(app, each.name, "insert")]
    makes_keys = [
        each
        for each in found
        if all(
            each.table.column(key).default is not None or each.table.column(key).identity for key in each.keys
        )
        and scene.owner_column(each.name)
    ]
    return next(iter(makes_keys or found), None)


def _counting(session: Session, owned: Owned, keys: tuple[str, ...]) -> Sent:
    return session.run("rows.count", {"keys": list(keys)}, table=owned.identifier, key=owned.key)


def _counted(number: str, name: str, role: str, sent: Sent, owned: Owned, *, identity: str = "A") -> Attempt:
    return attempt(
        number,
        name,
        role,
        sent,
        reached=bool(sent.value),
        identity=identity,
        table=owned.name,
        operation="select",
        row="other",
        rows=sent.value,
    )


def identity_of(scene: Scene, identified: str) -> str | None:
    return scene.target.identities.a if identified == "token" else None


def letter_of(identified: str) -> str:
    return "A" if identified == "token" else ""
