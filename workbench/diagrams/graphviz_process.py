"""Draw DOT files with Graphviz in a process of its own: ``graphviz_process.py FOLDER FORMAT``.

Reads FOLDER/*.dot and writes FOLDER/*.FORMAT beside them. A process of its own, because Graphviz and
fontconfig write to file descriptor 2, keep global state, and cannot be interrupted from Python.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pygraphviz


def draw(folder: Path, image_format: str) -> None:
    """Draw each DOT file of *folder* as *image_format* ("svg", "png")."""
    for path in sorted(folder.glob("*.dot")):
        graph: Any = pygraphviz.AGraph(string=path.read_text(encoding="utf-8"))  # type: ignore[no-untyped-call]
        path.with_suffix(f".{image_format}").write_bytes(graph.draw(format=image_format, prog="dot"))


if __name__ == "__main__":
    draw(Path(sys.argv[1]), sys.argv[2])
