"""A picture and its words, as a notebook, a report and a file want them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.diagrams import layout
from workbench.errors import BadInput, OutputError


@dataclass(frozen=True)
class Picture:
    """*svg* is complete and safe to put into a page; *png* is drawn when asked for.

    *notes* say what was left out and why.
    """

    title: str
    svg: str = field(repr=False)
    dot: str = field(repr=False)
    alt: str
    notes: tuple[str, ...] = ()

    @cached_property
    def png(self) -> bytes:
        """The same picture as a PNG of a few hundred kilobytes at most."""
        return layout.png(self.dot, layout.size_pt(self.svg.encode()))

    def save(self, path: str | Path) -> Path:
        """Write the picture to *path* by its ending: .svg, .png or .dot. Raises BadInput, OutputError."""
        target = Path(path)
        ending = target.suffix.lower()
        if ending not in (".svg", ".png", ".dot"):
            raise BadInput(f"{target}: a diagram is saved as .svg, .png or .dot")
        content = self.png if ending == ".png" else (self.svg if ending == ".svg" else self.dot).encode()
        try:
            target.write_bytes(content)
        except OSError as exc:
            raise OutputError(f"{target}: cannot be written: {exc.strerror}") from exc
        return target

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """SVG for JupyterLab and reports, PNG where SVG is not shown (code hosts), words for the rest."""
        return {
            "image/svg+xml": layout.fluid(self.svg),
            "image/png": base64.b64encode(self.png).decode("ascii"),
            "text/plain": "\n".join([self.alt, *self.notes]),
        }
