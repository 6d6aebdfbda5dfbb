"""Files of the clone's relations: as long as the source's, and empty.

The planner multiplies a relation's tuple density by the length of its file, so a file must be as long as
the real one; it need not hold anything. Sparse files take no room on the disk.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from workbench.engines.binaries import ServiceUser

PAGE = 8192
SEGMENT_PAGES = 131_072  # 1 GiB, RELSEG_SIZE of pg_config.h
_PAGE_HEADER = 24
_BTREE_SPECIAL = 16
_BTREE_MAGIC, _BTREE_VERSION = 0x053162, 4
_LEAF, _ROOT, _META = 1, 2, 8  # nbtree.h, BTP_*
_NO_KEYS = 0x2000  # INDEX_ALT_TID_MASK of a pivot tuple without keys


@dataclass(frozen=True)
class Folder:
    """The data folder of a cluster of ours, and the OS user that its files belong to."""

    data: Path
    user: ServiceUser

    def length(self, path: str) -> int:
        """The pages of the main fork at *path*."""
        pages = segment = 0
        while (file := self._segment(path, segment)).exists():
            pages += file.stat().st_size // PAGE
            segment += 1
        return pages

    def set_length(self, path: str, pages: int) -> None:
        """Make the main fork at *path* exactly *pages* long, segment by segment, without writing pages."""
        segment = 0
        while pages > 0 or segment == 0 or self._segment(path, segment).exists():
            here = min(pages, SEGMENT_PAGES)
            file = self._segment(path, segment)
            if segment and not here:
                file.unlink()
            else:
                self._truncate(file, here * PAGE)
            pages -= here
            segment += 1

    def set_height(self, path: str, height: int) -> None:
        """Write the meta page and one page a level of an empty B-tree of *height* at the head of *path*."""
        pages = btree_skeleton(height)
        descriptor = os.open(self.data / path, os.O_RDWR)
        try:
            os.pwrite(descriptor, pages, 0)
        finally:
            os.close(descriptor)

    def _segment(self, path: str, number: int) -> Path:
        return self.data / (f"{path}.{number}" if number else path)

    def _truncate(self, file: Path, size_bytes: int) -> None:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, size_bytes)
            if os.geteuid() != self.user.uid:
                os.fchown(descriptor, self.user.uid, self.user.gid)
        finally:
            os.close(descriptor)


def btree_skeleton(height: int) -> bytes:
    """A meta page and *height* + 1 chained pages without a key: what the planner and a probe read.

    Layout: nbtree.h, BTMetaPageData and BTPageOpaqueData.
    """
    pages = [_meta_page(height)]
    for depth in range(height + 1):
        level = height - depth
        flags = (_ROOT if depth == 0 else 0) | (_LEAF if level == 0 else 0)
        downlink = struct.pack("<HHHH", 0, depth + 2, 0, 8 | _NO_KEYS)
        pages.append(_page([] if level == 0 else [downlink], level=level, flags=flags))
    return b"".join(pages)


def _meta_page(height: int) -> bytes:
    page = bytearray(_page([], level=0, flags=_META))
    # magic, version, root, level, fast root, fast level, deleted pages; then heap tuples, allequalimage
    meta = struct.pack("<7I4xd?", _BTREE_MAGIC, _BTREE_VERSION, 1, height, 1, height, 0, -1.0, True)
    page[_PAGE_HEADER : _PAGE_HEADER + len(meta)] = meta
    struct.pack_into("<H", page, 12, _PAGE_HEADER + 48)
    return bytes(page)


def _page(items: list[bytes], *, level: int, flags: int) -> bytes:
    page = bytearray(PAGE)
    upper = PAGE - _BTREE_SPECIAL
    for number, item in enumerate(items):
        upper -= len(item)
        page[upper : upper + len(item)] = item
        struct.pack_into("<I", page, _PAGE_HEADER + 4 * number, upper | (1 << 15) | (len(item) << 17))
    lower, special = _PAGE_HEADER + 4 * len(items), PAGE - _BTREE_SPECIAL
    struct.pack_into("<QHHHHHHI", page, 0, 0, 0, 0, lower, upper, special, PAGE | 4, 0)
    struct.pack_into("<IIIHH", page, special, 0, 0, level, flags, 0)
    return bytes(page)
