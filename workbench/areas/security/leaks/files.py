"""Files and folders as places of a hunt."""

from __future__ import annotations

from pathlib import Path

from workbench.areas.security.leaks.model import Content

_PART, _OVERLAP = 1 << 24, 1 << 12


def folder(path: Path) -> Content:
    """Every file of a folder."""
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield from parts(file, str(file.relative_to(path)))


def parts(file: Path, name: str) -> Content:
    """A file in parts that overlap, so that nothing is cut in two; nothing of a file that is gone."""
    try:
        with file.open("rb") as content:
            before = b""
            while part := content.read(_PART):
                yield name, before + part
                before = part[-_OVERLAP:]
    except FileNotFoundError:
        return
