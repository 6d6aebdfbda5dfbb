"""DOT in, pictures out: Graphviz as pygraphviz bundles it, and an SVG that is safe to put into a page."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from PIL import Image

from workbench.errors import WorkbenchError

FONT = "DejaVu Sans"  # matplotlib brings it: text is measured alike on every machine
# Each narrower than what the text is measured with, so that none overflows its cell.
_FONT_STACK = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
_PROCESS = Path(__file__).with_name("graphviz_process.py")
_SVG = "{http://www.w3.org/2000/svg}"
_SYSTEM_FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts")
_SAFE_TAGS = {"svg", "g", "title", "polygon", "polyline", "path", "ellipse", "text"}
_OWN_SIZE = re.compile(
    r'width="(?P<width>[\d.]+)pt" height="[\d.]+pt" (?P<box>viewBox="[^"]*") '
    r'style="max-width:100%;height:auto"'
)
_COLUMN_PT = 600  # about the width of a notebook's output
_PNG_LONG_SIDE_PX = 2600
_PNG_DPI_MOST = 144
_PNG_DPI_LEAST = 24
_PNG_BYTES_MOST = 300_000


class DrawingFailed(WorkbenchError):
    """Graphviz could not draw a picture, or took longer than it was given."""


def draw(dots: Sequence[str], image_format: str, *, timeout_s: float = 120) -> list[bytes]:
    """Each of *dots* (DOT text) drawn as *image_format* ("svg", "png"); raises DrawingFailed."""
    with tempfile.TemporaryDirectory(prefix="workbench-diagram-") as name:
        folder = Path(name)
        (folder / "fonts.conf").write_text(_fonts_conf(), encoding="utf-8")
        for number, dot in enumerate(dots):
            (folder / f"{number:04}.dot").write_text(dot, encoding="utf-8")
        _run(folder, image_format, timeout_s)
        return [(folder / f"{number:04}.{image_format}").read_bytes() for number in range(len(dots))]


def size_pt(svg: bytes) -> tuple[float, float]:
    """Width and height of a picture as Graphviz drew it, in points."""
    head = svg[:2000].decode("utf-8", errors="replace")
    found = re.search(r'<svg width="([\d.]+)pt" height="([\d.]+)pt"', head)
    if found is None:
        raise DrawingFailed(f"Graphviz drew no SVG: {head[:80]!r}")
    return float(found[1]), float(found[2])


def page_svg(svg: bytes, *, title: str, tooltips: Mapping[str, str]) -> str:
    """Graphviz's *svg* made fit for a page: it scales with its column and carries words.

    The document type (an address on another host), comments and ids go; *tooltips* replace Graphviz's
    names of nodes and edges, given by their ``id`` in the DOT text. An element that could act or load
    something raises DrawingFailed, though none can come out of escaped labels.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 - written by Graphviz a moment ago, from escaped labels
    width, height = size_pt(svg)
    for element in root.iter():
        _require_harmless(element)
        name = element.attrib.pop("id", "")
        heading = element.find(f"{_SVG}title")
        if element.tag == f"{_SVG}g" and heading is not None:
            heading.text = tooltips.get(name, title if element.get("class") == "graph" else "")
            if not heading.text:
                element.remove(heading)
        if "font-family" in element.attrib:
            element.set("font-family", _FONT_STACK)
        element.attrib.pop("class", None)
    root.attrib.update(
        {"width": f"{width:g}pt", "height": f"{height:g}pt", "style": "max-width:100%;height:auto"}
    )
    root.attrib.update({"role": "img", "aria-label": title})
    return _serialized(root)


def fluid(svg: str) -> str:
    """*svg* as wide as the column that it stands in, at most at its own size; a narrow one stays as it is.

    JupyterLab shows a picture as an image, to which the style within the picture does not apply.
    """
    own = _OWN_SIZE.search(svg)
    if own is None or float(own["width"]) <= _COLUMN_PT:
        return svg
    return svg.replace(own[0], f'width="100%" {own["box"]} style="max-width:{own["width"]}pt;height:auto"', 1)


def png(dot: str, svg_size_pt: tuple[float, float]) -> bytes:
    """*dot* as a PNG in 128 colours, at most 2,600 pixels long, smaller where it would exceed 300 kB."""
    dpi = min(_PNG_DPI_MOST, 72 * _PNG_LONG_SIDE_PX / max(svg_size_pt))
    drawn = _png_at(dot, dpi)
    while len(drawn) > _PNG_BYTES_MOST and dpi > _PNG_DPI_LEAST:
        dpi *= 0.95 * (_PNG_BYTES_MOST / len(drawn)) ** 0.5
        drawn = _png_at(dot, dpi)
    return drawn


def _png_at(dot: str, dpi: float) -> bytes:
    sized = dot.replace("{", f"{{\n  graph [dpi={dpi:.1f}];", 1)
    (drawn,) = draw([sized], "png")
    target = io.BytesIO()
    with Image.open(io.BytesIO(drawn)) as image:
        few = image.convert("RGB").quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(target, format="PNG", optimize=True)
    return target.getvalue()


def _run(folder: Path, image_format: str, timeout_s: float) -> None:
    command = [sys.executable, "-P", str(_PROCESS), str(folder), image_format]
    environment = {**os.environ, "FONTCONFIG_FILE": str(folder / "fonts.conf")}
    try:
        done = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=timeout_s)
    except subprocess.TimeoutExpired as exc:
        raise DrawingFailed(
            f"the picture was not drawn within {timeout_s:g} s: draw fewer tables, or their names only"
        ) from exc
    except subprocess.CalledProcessError as exc:
        lines = exc.stderr.decode("utf-8", errors="replace").strip().splitlines()
        raise DrawingFailed(f"Graphviz could not draw the picture: {lines[-1] if lines else exc}") from exc
    complaints = [
        line
        for line in done.stderr.decode("utf-8", errors="replace").splitlines()
        if line.startswith("Error:")
    ]
    if complaints:  # it goes on after an error in a label, with the label left empty
        raise DrawingFailed(f"Graphviz could not draw the picture: {complaints[0]}")


def _fonts_conf() -> str:
    """Fontconfig's settings: matplotlib's DejaVu first, then what the system has for other scripts."""
    folders = [str(folder) for folder in (_matplotlib_fonts(), *map(Path, _SYSTEM_FONTS)) if folder.is_dir()]
    listed = "".join(f"<dir>{escape(folder)}</dir>" for folder in folders)
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>'
        f'{listed}<cachedir prefix="xdg">fontconfig</cachedir></fontconfig>\n'
    )


def _matplotlib_fonts() -> Path:
    spec = importlib.util.find_spec("matplotlib")  # found, not imported: importing takes half a second
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0] if places else ".", "mpl-data", "fonts", "ttf")


def _require_harmless(element: ElementTree.Element) -> None:
    tag = element.tag.removeprefix(_SVG)
    acting = [name for name in element.attrib if "href" in name or name.lower().startswith("on")]
    if tag not in _SAFE_TAGS or acting:
        raise DrawingFailed(f"the drawn picture holds <{tag}> {acting}, which no diagram should: not shown")


def _serialized(root: ElementTree.Element) -> str:
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
    root.set("xmlns", _SVG[1:-1])
    return ElementTree.tostring(root, encoding="unicode")
