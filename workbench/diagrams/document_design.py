"""Documents as cards: a box a collection, what is nested indented in it, a line for a reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.diagrams import cards, layout
from workbench.diagrams.cards import EDGE, PALETTES
from workbench.diagrams.picture import Picture

ROWS_SHOWN = 45  # of one card; the others are counted in a last row
CARDS_SHOWN = 60
_INK = "#0f172a"
_MUTED = "#64748b"
_NESTED = "#eef2f7"
_COPIED = "#fdf6e3"
_INDENT = "    "
_LEGEND = (
    "A box is a collection, a row a field; what is nested is indented, [] marks an array.",
    "Yellow: a copy, whose home is elsewhere.   A line leads from a reference to what it names.",
)

FieldKind = Literal["key", "plain", "object", "array"]


@dataclass(frozen=True)
class DocumentField:
    """A field as drawn, *depth* levels within its document; *copied* where its home is elsewhere.

    *refers_to* is the name of the collection whose documents the value names.
    """

    name: str
    type: str
    depth: int = 0
    kind: FieldKind = "plain"
    copied: bool = False
    refers_to: str = ""


@dataclass(frozen=True)
class DocumentCard:
    """A collection as drawn: *lines* stand under its name, such as how many documents of which size."""

    name: str
    fields: tuple[DocumentField, ...]
    lines: tuple[str, ...] = ()


def document_design(found: Sequence[DocumentCard], *, title: str) -> Picture:
    """The collections *found*, at most 60, the first first. Raises DrawingFailed."""
    drawn = list(found[:CARDS_SHOWN])
    number = {card.name: n for n, card in enumerate(drawn)}
    body = [_card(n, card) for n, card in enumerate(drawn)]
    body += [line for n, card in enumerate(drawn) for line in _references(n, card, number)]
    heading = f"{title}: {len(found)} collection{'' if len(found) == 1 else 's'}"
    dot = cards.digraph(body, heading=heading, legend=_LEGEND)
    (picture,) = layout.draw([dot], "svg")
    shown = cards.visible(cards.shortened(heading, 120))
    notes = []
    if len(found) > len(drawn):
        notes.append(f"{len(found) - len(drawn)} further collections left out, to stay legible")
    long = [card.name for card in drawn if len(card.fields) > ROWS_SHOWN]
    if long:
        notes.append(f"at most {ROWS_SHOWN} fields of a collection shown: {', '.join(long[:5])}")
    return Picture(
        title=shown,
        svg=layout.page_svg(picture, title=shown, tooltips={}),
        dot=dot,
        alt=cards.visible(_alt(heading, drawn)),
        notes=tuple(map(cards.visible, notes)),
    )


def _alt(heading: str, drawn: Sequence[DocumentCard]) -> str:
    """The picture in words: what is nested in each collection."""
    told = []
    for card in drawn:
        nested = [each.name for each in card.fields if each.kind in ("object", "array") and each.depth == 0]
        told.append(f"{card.name} holds {', '.join(nested)}" if nested else card.name)
    return f"{heading}. {'; '.join(told)}."


def _card(number: int, card: DocumentCard) -> str:
    palette = PALETTES[0]
    rows = "".join(_rows(card))
    lines = "".join(
        f'<tr><td colspan="2" align="left" cellpadding="2"><font color="{_MUTED}" point-size="10">'
        f"  {cards.shown(line, 80)}  </font></td></tr>"
        for line in card.lines
    )
    label = (
        f'<table border="1" cellborder="0" cellspacing="0" cellpadding="0" style="rounded" '
        f'color="{palette.line}" bgcolor="white"><tr><td colspan="2" port="head" cellpadding="5" '
        f'align="left" bgcolor="{palette.header}"><font color="{palette.ink}" point-size="14">'
        f"<b>{cards.shown(card.name)}  </b></font></td></tr>{lines}{rows}"
        '<tr><td colspan="2" height="4"></td></tr></table>'
    )
    return f'n{number} [id="n{number}" label=<{label}>];'


def _rows(card: DocumentCard) -> Iterator[str]:
    for number, field in enumerate(card.fields[:ROWS_SHOWN]):
        nested = field.kind in ("object", "array")
        name = cards.shown(field.name + ("[]" if field.kind == "array" else ""))
        name = f"<b>{name}</b>" if nested or field.kind == "key" else name
        ground = _COPIED if field.copied else _NESTED if nested else "white"
        yield (
            f'<tr><td align="left" cellpadding="2" bgcolor="{ground}"><font color="{_INK}">'
            f"  {_INDENT * field.depth}{name}  </font></td>"
            f'<td align="left" cellpadding="2" bgcolor="{ground}" port="f{number}">'
            f'<font color="{_MUTED}">{cards.shown(field.type, 40)}  </font></td></tr>'
        )
    left = len(card.fields) - ROWS_SHOWN
    if left > 0:
        yield (
            f'<tr><td colspan="2" align="left" cellpadding="2"><font color="{_MUTED}" point-size="10">'
            f"  … {left:,} more  </font></td></tr>"
        )


def _references(number: int, card: DocumentCard, numbers: dict[str, int]) -> Iterator[str]:
    for row, field in enumerate(card.fields[:ROWS_SHOWN]):
        target = numbers.get(field.refers_to)
        if target is not None and target != number:
            style = "dashed" if field.copied else "solid"
            yield (
                f'n{number}:f{row}:e -> n{target}:head:w [id="e{number}_{row}" arrowhead=vee arrowsize=0.7 '
                f'style={style} color="{EDGE}"];'
            )
