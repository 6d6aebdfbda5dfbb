"""The folder of a report: claimed only if it is new, empty or a report's; changed only at the end."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from workbench.errors import OutputError

MARKER = ".workbench-report"
_STAGING = re.compile(r"\.staging-(\d+)-")


@contextlib.contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A new folder to write a report into, which takes the place of the former one in *out* at the end.

    Where the block raises, the former report stays as it was. Files in *out* that no report wrote are
    never touched. Raises OutputError where *out* is a file, not writable, or not empty and no report.
    """
    made = _claim(out)
    staging = None
    try:
        with _one_line(out):
            staging = Path(tempfile.mkdtemp(prefix=f".staging-{os.getpid()}-", dir=out))
            staging.chmod(0o755)
        with _one_line(out, within=staging):
            yield staging
        with _one_line(out):
            _swap(staging, out)
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()  # only where nothing came to be in it


def _claim(out: Path) -> list[Path]:
    """Make sure that *out* may be a report's folder; the folders that had to be made for it."""
    with _one_line(out):
        if out.exists() and not out.is_dir():
            raise OutputError(f"{out}: is a file: name a folder for the report with --out")
        made = [folder for folder in (*reversed(out.parents), out) if not folder.exists()]
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise OutputError(f"{out}: may not be written to: name another folder with --out")
        _remove_abandoned(out)
        if not (out / MARKER).is_file() and any(out.iterdir()):
            raise OutputError(f"{out}: is not empty and holds no report: name a new folder with --out")
    return made


def _remove_abandoned(out: Path) -> None:
    """Remove what runs that were killed have left."""
    for entry in out.iterdir():
        owner = _STAGING.match(entry.name)
        if owner and not psutil.pid_exists(int(owner[1])):
            shutil.rmtree(entry, ignore_errors=True)


def _swap(staging: Path, out: Path) -> None:
    """Put the entries of *staging* in the place of those that the former report had."""
    entries = sorted(entry.name for entry in staging.iterdir())
    former = _entries(out)
    marker = staging / MARKER
    marker.write_text(json.dumps(sorted({*entries, *former})), encoding="utf-8")
    marker.replace(out / MARKER)  # first: whatever interrupts the rest, all of it is known as a report's
    for name in former:
        _remove(out / name)
    for name in sorted(entries, key=lambda name: name == "index.html"):
        _remove(out / name)
        (staging / name).rename(out / name)
    (out / MARKER).write_text(json.dumps(entries), encoding="utf-8")


def _entries(out: Path) -> list[str]:
    """The names that the former report in *out* wrote."""
    try:
        names = json.loads((out / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(names, list):
        return []
    return [name for name in names if isinstance(name, str) and Path(name).name == name]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _one_line(out: Path, *, within: Path | None = None) -> Iterator[None]:
    """Turn the system's errors about files into an OutputError that says what to do.

    With *within*, errors about files elsewhere are somebody else's to explain.
    """
    try:
        yield
    except OSError as exc:
        if within and not str(exc.filename or "").startswith(str(within)):
            raise
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"{out}: no space is left on its disk: free some, or name another folder"
            ) from exc
        if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG):
            reason = (exc.strerror or "").lower()
            raise OutputError(f"{out}: cannot be written ({reason}): name another folder with --out") from exc
        raise
