"""What the workbench finds on this machine, and what will be left unproved without more."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import asdict, dataclass
from typing import Any

from workbench.engines import places
from workbench.engines.mongo import mongo_engine, shared_mongod
from workbench.engines.postgres import Binaries, Server, embedded_binaries, engine, installed_binaries
from workbench.errors import EngineError, FeatureUnavailable

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Observation:
    """One thing looked for: what was *found*, what stays *unproved* without it, and *how* to get it."""

    what: str
    found: str
    ok: bool
    unproved: str = ""
    how: str = ""


def diagnose() -> list[Observation]:
    """Start the engines and look at everything the proofs may need.

    Raises EngineError where no PostgreSQL can be started at all.
    """
    with engine() as server:
        return [
            _engine(server),
            _mongo(),
            Observation("cache folder", str(places.cache_folder()), True),
            *_programs(),
            *_features(server),
            _browser(),
        ]


def as_rows(observations: list[Observation]) -> list[dict[str, Any]]:
    return [asdict(each) for each in observations]


def _engine(server: Server) -> Observation:
    names = sorted(server.extension_names)
    return Observation(
        "engine of the proofs", f"{server.description}, {len(names)} extensions: {', '.join(names)}", True
    )


def _mongo() -> Observation:
    what = "engine of the proofs on documents"
    try:
        with mongo_engine() as server:
            where = ", ".join(server.hosts) if server.revive is None else str(shared_mongod().mongod.path)
            return Observation(what, f"{server.description} ({where})", True)
    except EngineError as exc:
        return Observation(
            what,
            str(exc),
            False,
            "collections are reviewed, but nothing about them is tried: no validator, index or design",
            exc.hint if isinstance(exc, FeatureUnavailable) else "correct what was named, or unset it",
        )


def _programs() -> list[Observation]:
    found: list[Binaries] = []
    observations = []
    try:
        found.append(embedded_binaries())
    except EngineError as exc:
        observations.append(Observation("embedded PostgreSQL", str(exc), False))
    found += installed_binaries()
    return observations + [
        Observation(f"{each.origin} PostgreSQL", f"{each.version} in {each.folder}", True) for each in found
    ]


def _features(server: Server) -> list[Observation]:
    how = "apt-get install postgresql-contrib, then WORKBENCH_POSTGRES_BIN=/usr/lib/postgresql/<version>/bin"
    crypto = {"pgcrypto", "uuid-ossp"} & server.extension_names
    with_pgcrypto = next((each for each in installed_binaries() if "pgcrypto" in each.extension_names), None)
    with_tls = next((each for each in installed_binaries() if _built_with(each, "openssl")), None)
    return [
        Observation(
            "pgcrypto and uuid-ossp",
            ", ".join(sorted(crypto)) or "neither is on the engine",
            len(crypto) == 2,
            ""
            if len(crypto) == 2
            else f"files that use them are reviewed with stand-ins; {_pitfalls(with_pgcrypto)}",
            "" if len(crypto) == 2 else how,
        ),
        _build_option(
            server,
            "TLS",
            "openssl",
            f"sources are loaded without TLS; logins over it are tried on {_named(with_tls)}"
            if with_tls
            else "logins over TLS are not tried",
            how,
        ),
        _build_option(server, "ICU collations", "icu", "schemas with ICU collations do not load", how),
    ]


def _build_option(server: Server, what: str, option: str, unproved: str, how: str) -> Observation:
    built_in = _built_with(server.binaries, option)
    return Observation(
        what,
        "built in" if built_in else "the engine is built without",
        built_in,
        *(() if built_in else (unproved, how)),
    )


def _built_with(binaries: Binaries, option: str) -> bool:
    try:
        configured = subprocess.run(
            [binaries.path("pg_config"), "--configure"], capture_output=True, text=True, check=True
        ).stdout
    except (EngineError, subprocess.SubprocessError):
        return False
    return f"--with-{option}" in configured or f"--with-ssl={option}" in configured


def _pitfalls(found: Binaries | None) -> str:
    if found is None:
        return "what becomes of a key in pgcrypto is not tried"
    return f"what becomes of a key in pgcrypto is tried on {_named(found)}"


def _named(found: Binaries) -> str:
    return f"PostgreSQL {found.version}, {found.origin}"


def _browser() -> Observation:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    return Observation(
        "browser (for the tests of the report)",
        found or "none",
        found is not None,
        "" if found else "the report's look in a browser is not tested; reports themselves need none",
        "" if found else "apt-get install chromium",
    )
