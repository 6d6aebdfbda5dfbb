"""HTML and SVG that notebooks put out, made fit for a page: nothing that acts, nothing from elsewhere."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from xml.etree import ElementTree

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_DROPPED_WITH_CONTENT = re.compile(
    r"(?is)<(style|script|title|template|noscript)\b.*?(</\1\s*>|\Z)|<!--.*?(-->|\Z)"
)
_IMAGE_OF_NOTHING = re.compile(r"<img(?![^>]*\ssrc=)[^>]*>")
_TAGS = frozenset(
    """
    a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3
    h4 h5 h6 hr i img input kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td
    tfoot th thead tr u ul var
    """.split()  # noqa: SIM905 - a hundred quotes more would be no clearer
)
_STYLES = frozenset({"text-align", "vertical-align", "font-weight", "font-style"})
_SVG_TAGS = frozenset(
    """
    svg g defs symbol use marker path rect circle ellipse line polyline polygon text tspan textPath title
    desc a clipPath mask pattern linearGradient radialGradient stop image filter feGaussianBlur feOffset
    feBlend feFlood feComposite feMerge feMergeNode feColorMatrix feDropShadow
    """.split()  # noqa: SIM905
)
_REFERENCE = re.compile(r"url\(\s*(['\"]?)#([^)'\"]+)\1\s*\)")
_LENGTH = re.compile(r"([\d.]+)\s*(pt|px|in|)\Z")
_POINTS = {"pt": 1.0, "px": 0.75, "": 0.75, "in": 72.0}


def clean_html(text: str) -> str:
    """*text* with no tag, attribute or address that could act or load something.

    What is not allowed goes, its content stays, but for that of style and script.
    """
    cleaned: str = _cleaner().clean(_DROPPED_WITH_CONTENT.sub("", text))
    return _IMAGE_OF_NOTHING.sub("", cleaned)


@cache
def _cleaner() -> Any:
    from bleach.css_sanitizer import CSSSanitizer
    from bleach.sanitizer import Cleaner

    def allowed(tag: str, name: str, value: str) -> bool:
        if name in ("class", "title", "colspan", "rowspan", "scope", "style", "lang", "align"):
            return True
        if tag == "img":
            return name in ("alt", "width", "height") or (name == "src" and value.startswith("data:image/"))
        if tag == "input":  # the boxes of a task list
            return name in ("checked", "disabled") or (name == "type" and value == "checkbox")
        return (
            (tag == "a" and name == "href")
            or (tag == "details" and name == "open")
            or (name == "id" and tag in ("h1", "h2", "h3", "h4", "h5", "h6"))
            or (name == "start" and tag == "ol")
        )

    return Cleaner(
        tags=_TAGS,
        attributes=allowed,
        protocols=frozenset({"http", "https", "mailto", "data"}),
        strip=True,
        strip_comments=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=_STYLES),
    )


def clean_svg(text: str | bytes, *, prefix: str, label: str = "") -> str:
    """The picture *text* for use inside a page: ids begin with *prefix*, and nothing in it acts or loads.

    Raises ValueError where it is no SVG.
    """
    raw = text.encode() if isinstance(text, str) else text
    if b"<!ENTITY" in raw:
        raise ValueError("the picture declares entities")
    try:
        root = ElementTree.fromstring(raw)  # noqa: S314 - entities are refused above
    except ElementTree.ParseError as exc:
        raise ValueError(f"the picture is no XML: {exc}") from exc
    if root.tag != f"{_SVG}svg":
        raise ValueError(f"the picture is no SVG: its root is {root.tag[:60]}")
    drawn_by_matplotlib = "stroke-linejoin: round" in (root.findtext(f".//{_SVG}style") or "")
    _remove_foreign(root)
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            kept = _attribute(name, value, prefix)
            if kept is None:
                del element.attrib[name]
            else:
                element.set(name, kept)
    if drawn_by_matplotlib:
        root.attrib.update({"stroke-linejoin": "round", "stroke-linecap": "butt"})
    root.attrib.setdefault("role", "img")
    if label and "aria-label" not in root.attrib:
        root.set("aria-label", label)
    _make_scalable(root)
    return _serialized(root)


def width_pt(svg: str) -> float:
    """The width in points that a picture asks for; 0 where it does not say."""
    head = svg[: svg.find(">")]
    width = re.search(r'\bwidth="([^"]+)"', head)
    length = _LENGTH.match(width[1]) if width else None
    if length:
        return float(length[1]) * _POINTS[length[2]]
    box = re.search(r'\bviewBox="[-\d.]+[ ,]+[-\d.]+[ ,]+([\d.]+)', head)
    return float(box[1]) * 0.75 if box else 0.0


def _remove_foreign(element: ElementTree.Element) -> None:
    for child in list(element):
        tag = child.tag if isinstance(child.tag, str) else ""
        if tag.removeprefix(_SVG) in _SVG_TAGS and tag.startswith(_SVG):
            _remove_foreign(child)
        else:
            element.remove(child)


def _attribute(name: str, value: str, prefix: str) -> str | None:
    """The value to keep of an attribute; None where the attribute goes."""
    local = name.rpartition("}")[2]
    if local.lower().startswith("on") or (name.startswith("{") and not name.startswith(_XLINK)):
        return None
    if local == "href":
        if value.startswith("#"):
            return f"#{prefix}{value[1:]}"
        return value if re.match(r"data:image/(png|jpeg);", value) else None
    if name.startswith(_XLINK):
        return None
    if local == "id":
        return prefix + value
    if local in ("aria-labelledby", "aria-describedby"):
        return " ".join(prefix + each for each in value.split())
    scoped = _REFERENCE.sub(rf"url(#{prefix}\2)", value)
    if local == "style" and re.search(r"url\((?!#)|@import|expression", scoped, re.IGNORECASE):
        return None
    return None if re.search(r"url\((?!#)", scoped, re.IGNORECASE) and local != "style" else scoped


def _make_scalable(root: ElementTree.Element) -> None:
    """Let the picture shrink with its column; that takes a viewBox."""
    width, height = (_LENGTH.match(root.get(side, "")) for side in ("width", "height"))
    if "viewBox" not in root.attrib and width and height:
        root.set("viewBox", f"0 0 {width[1]} {height[1]}")
    root.set("style", "max-width:100%;height:auto")


def _serialized(root: ElementTree.Element) -> str:
    """As text whose tags bear no prefix, as HTML wants them."""
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if f"{_XLINK}href" in element.attrib:
            element.set("href", element.attrib.pop(f"{_XLINK}href"))
    root.set("xmlns", "http://www.w3.org/2000/svg")
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
