"""The shape of a document as a tree: a row a field, with its share, its types and its part of the bytes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.catalog.shapes import Node, Shape, Spread
from workbench.diagrams import cards, layout
from workbench.diagrams.picture import Picture
from workbench.diagrams.tree_rows import INDENT, INK, MUTED, bar, cell, digraph, indents

_LEVELS = 14  # of fields drawn; what is deeper is counted
_NAME_LENGTH = 36
_NAMES_TOLD = 3
_SHARE_WIDTH = 44
_TYPES_WIDTH = 64
_BYTES_WIDTH = 64
_CHARACTER = 7.2  # points, of a name
_COLUMNS = 8  # right of the names: two of share, two of types, one of lengths, three of bytes
_TYPES_TOLD = 3
_SHARE = "#475569"
_PALE = "#a3b1c4"  # of what is shown again in the rows below
_RULE = "#e2e8f0"
_FAMILIES: Mapping[str, tuple[str, tuple[str, ...]]] = {  # colour and types
    "text": ("#2f6fc4", ("string",)),
    "number": ("#2f8f5b", ("int", "long", "double", "decimal")),
    "date": ("#d08a1d", ("date", "timestamp")),
    "id, binary": ("#7c5cc4", ("objectId", "uuid", "binData", "dbPointer")),
    "yes or no": ("#d0568c", ("bool",)),
    "object": ("#64748b", ("object",)),
    "array": ("#1f97a8", ("array",)),
    "null": ("#c3ccd8", ("null",)),
    "other": ("#9b5a3c", ()),
}
_COLOURS = {kind: colour for colour, kinds in _FAMILIES.values() for kind in kinds}


@dataclass(frozen=True)
class ShapeTree(Picture):
    """The tree of a shape. *fields* counts the rows drawn."""

    fields: int = 0


@dataclass(frozen=True)
class _Row:
    """A field as drawn: *label* before *node*, the last of the arrays that it is; *children* below it."""

    label: str
    depth: int
    field: Node
    node: Node
    arrays: tuple[Spread, ...]
    children: tuple[Node, ...]

    def bytes_of(self, shape: Shape) -> float:
        """Its part of the mean document, with all that is in it."""
        return self.field.mean_bytes * self.field.count / shape.documents


def shape_tree(shape: Shape, *, most: int = 60) -> ShapeTree:
    """The fields of *shape* as a tree of at most *most* rows; the others, lighter ones, are counted.

    An array and its elements are one row; a share is that of the objects that the field could be in.
    Raises DrawingFailed.
    """
    drawn, folded = _chosen(shape, most)
    rows = list(_table_rows(shape, drawn, folded))
    heading = f"{shape.collection}: the shape of {_documents(shape)}"
    dot = digraph(heading, _summary(shape), rows, _legend())
    (picture,) = layout.draw([dot], "svg")
    title = cards.visible(cards.shortened(heading, 120))
    left = shape.paths - sum(row.field.kind != "element" for row in drawn)
    notes = [
        text for text in (f"{left:,} lighter fields left out" if left else "", shape.limit_reached) if text
    ]
    return ShapeTree(
        title=title,
        svg=layout.page_svg(picture, title=title, tooltips={}),
        dot=dot,
        alt=_alt(shape, title),
        notes=tuple(map(cards.visible, notes)),
        fields=len(drawn),
    )


def _documents(shape: Shape) -> str:
    number = f"{shape.documents:,} document{'' if shape.documents == 1 else 's'}"
    if shape.full:
        return f"all {number}" if shape.documents > 1 else number
    return f"{number} of {shape.of:,}" if shape.of is not None else f"a sample of {number}"


def _summary(shape: Shape) -> str:
    if not shape.documents:
        return "no documents: there is nothing to draw"
    return (
        f"{shape.paths:,} field{'' if shape.paths == 1 else 's'}   ·   {_size(shape.sizes.mean)} a document "
        f"on average, {_size(shape.sizes.maximum)} the largest"
    )


def _alt(shape: Shape, title: str) -> str:
    """The picture in words: what weighs most."""
    if not shape.documents:
        return f"{title}."
    heavy = sorted(shape.root.children, key=lambda node: -node.mean_bytes * node.count)[:3]
    total = shape.root.mean_bytes
    told = ", ".join(
        f"{cards.shortened(node.name, _NAME_LENGTH)} "
        f"({_percent(node.mean_bytes * node.count / shape.documents / total)} of the bytes)"
        for node in heavy
    )
    return cards.visible(f"{title}." + (f" Heaviest: {told}." if told else ""))


# which rows


Folded = Mapping[int, Sequence[Node]]


def _chosen(shape: Shape, most: int) -> tuple[list[_Row], Folded]:
    """The heaviest fields with all that they are in, in the documents' order; those left out by parent."""
    roots = [_row(node, 0) for node in shape.root.children]
    ahead = (
        [(-row.bytes_of(shape), number, row) for number, row in enumerate(roots)] if shape.documents else []
    )
    heapq.heapify(ahead)
    number = len(roots)
    chosen: set[int] = set()
    while ahead and len(chosen) < most:
        _, _, row = heapq.heappop(ahead)
        chosen.add(id(row.field))
        for child in row.children if row.depth + 1 < _LEVELS else ():
            below = _row(child, row.depth + 1)
            heapq.heappush(ahead, (-below.bytes_of(shape), number, below))
            number += 1
    drawn: list[_Row] = []
    folded: dict[int, list[Node]] = {}

    def collect(children: Sequence[Node], depth: int, parent: int) -> None:
        for node in children:
            if id(node) in chosen:
                row = _row(node, depth)
                drawn.append(row)
                collect(row.children, depth + 1, id(node))
            else:
                folded.setdefault(parent, []).append(node)

    collect(shape.root.children, 0, id(shape.root))
    return drawn, folded


def _row(node: Node, depth: int) -> _Row:
    """*node* with its elements in the same row, where it holds arrays and nothing else."""
    arrays: list[Spread] = []
    last = node
    while last.lengths is not None:
        arrays.append(last.lengths)
        element = _element(last)
        if element is None or not set(last.types) <= {"array", "null"}:
            break
        last = element
    label = {"key": "any key", "element": "each element"}.get(node.kind, node.name)
    held_back = len(arrays) if last.lengths is None else len(arrays) - 1
    return _Row(label + "[]" * held_back, depth, node, last, tuple(arrays), last.children)


def _element(node: Node) -> Node | None:
    return next((child for child in node.children if child.kind == "element"), None)


# the table


def _table_rows(shape: Shape, drawn: Sequence[_Row], folded: Folded) -> Iterator[str]:
    levels = max((row.depth for row in drawn), default=0) + 2
    heaviest = max((row.bytes_of(shape) for row in drawn), default=0.0)
    waiting: list[tuple[int, int]] = []  # the rows that are open: depth and whose fields may be left out
    yield _heading_row(levels, drawn)
    for row in drawn:
        while waiting and waiting[-1][0] >= row.depth:
            yield from _left_out(waiting.pop(), folded, levels)
        yield _field_row(shape, row, levels, heaviest)
        waiting.append((row.depth, id(row.field)))
    while waiting:
        yield from _left_out(waiting.pop(), folded, levels)
    yield from _left_out((-1, id(shape.root)), folded, levels)


def _left_out(parent: tuple[int, int], folded: Folded, levels: int) -> Iterator[str]:
    nodes = folded.get(parent[1], ())
    if not nodes:
        return
    depth = parent[0] + 1
    named = [cards.shortened(node.name or '""', 20) for node in nodes[:_NAMES_TOLD]]
    more = f"and {len(nodes):,} more: {', '.join(named)}{' …' if len(nodes) > len(named) else ''}"
    yield (
        f'<tr>{indents(depth)}<td colspan="{levels - depth + _COLUMNS}" align="left">'
        f'<font color="{MUTED}"><i>{cards.shown(more, 110)}</i></font></td></tr>'
    )


def _heading_row(levels: int, drawn: Sequence[_Row]) -> str:
    """The titles, over a row that fixes the width of the columns for the names."""
    longest = max((min(len(row.label), _NAME_LENGTH) for row in drawn), default=0)
    widths = [*[INDENT] * (levels - 1), max(40, round(_CHARACTER * longest))]
    fixed = "".join(f'<td fixedsize="true" width="{width}" height="1"></td>' for width in widths)
    titles = [
        (levels, "field"),
        (2, "share"),
        (2, "types"),
        (1, "array length: median, most"),
        (3, "bytes of the mean document"),
    ]
    cells = "".join(
        f'<td colspan="{span}" align="left" border="1" sides="B" color="{_RULE}">'
        f'<font color="{MUTED}" point-size="10">{title}    </font></td>'
        for span, title in titles
    )
    return f'<tr>{cells}</tr><tr>{fixed}<td colspan="{_COLUMNS}"></td></tr>'


def _field_row(shape: Shape, row: _Row, levels: int, heaviest: float) -> str:
    name = cards.shown(row.label, _NAME_LENGTH) or "&quot;&quot;"
    name = f"<b>{name}</b>" if row.children else name
    if row.field.kind != "field":
        name = f"<i>{name}</i>"
    return (
        f'<tr>{indents(row.depth)}<td colspan="{levels - row.depth}" align="left">'
        f'<font color="{INK}">{name}  </font></td>{_share(row.field)}{_types(row)}'
        f"{cell(_lengths(row.arrays))}{_bytes(shape, row, heaviest)}</tr>"
    )


def _share(node: Node) -> str:
    if node.kind == "element":
        return cell("", span=2)
    if node.kind == "key":
        return cell(f"{node.share:,.3g} of {node.keys:,} keys", span=2)
    return bar([(_SHARE, node.share)], _SHARE_WIDTH) + cell(_percent(node.share))


def _types(row: _Row) -> str:
    """A stacked bar of the types, and their names with shares where there are several."""
    types = row.node.types
    total = sum(types.values()) or 1
    ordered = sorted(types.items(), key=lambda each: -each[1])
    parts = [(_COLOURS.get(kind, _FAMILIES["other"][0]), times / total) for kind, times in ordered]
    words = [kind if len(ordered) == 1 else f"{kind} {_percent(times / total)}" for kind, times in ordered]
    text = ", ".join(words[:_TYPES_TOLD])
    if len(words) > _TYPES_TOLD:
        text += f", {len(words) - _TYPES_TOLD} more"
    known = _format(row.node)
    return bar(parts, _TYPES_WIDTH) + cell(f"{text} · {known}" if known else text, limit=60)


def _format(node: Node) -> str:
    """The format that nearly all tested strings have, such as ``like a decimal``."""
    if not node.tested or not node.formats:
        return ""
    name, times = max(node.formats.items(), key=lambda each: each[1])
    if times < 0.95 * node.tested:
        return ""
    return f"like {'an' if name[0] in 'aeiou' else 'a'} {name}"


def _lengths(arrays: Sequence[Spread]) -> str:
    """Median and maximum of each array, from the outer to the inner."""
    return " / ".join(f"{each.median:,.0f}, {each.maximum:,}" for each in arrays)


def _bytes(shape: Shape, row: _Row, heaviest: float) -> str:
    """A bar that is full for the *heaviest* field, the bytes, and their share of the document."""
    size = row.bytes_of(shape)
    share = size / shape.root.mean_bytes if shape.root.mean_bytes else 0.0
    length = size / heaviest if heaviest else 0.0
    return (
        bar([(_PALE if row.children else _SHARE, length)], _BYTES_WIDTH, rest="#ffffff")
        + cell(_size(size), align="right")
        + cell(_percent(share), align="right")
    )


def _percent(share: float) -> str:
    """In three figures at most; what is not all never reads as 100 %."""
    if share >= 1 or not share:
        return f"{share:.0%}"
    if share >= 0.9995:
        return "<100%"
    return f"{share:.1%}" if share >= 0.99 else f"{100 * share:.2g}%"


def _size(size: float) -> str:
    for unit, factor in (("MB", 1 << 20), ("kB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size:,.0f} B" if size >= 1 or not size else f"{size:.1g} B"


def _legend() -> str:
    return (
        f'<font color="{MUTED}" point-size="10">'
        + "".join(
            f'<font color="{colour}" point-size="13">■</font> {name}    '
            for name, (colour, _) in _FAMILIES.items()
        )
        + "</font>"
    )
