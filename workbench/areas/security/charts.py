"""The attack matrix as a picture: roles by tables, each cell the four operations, readable without colour."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Literal, NamedTuple, TypeAlias

from workbench.areas.security.attacks.model import AttackRun, Attempt
from workbench.catalog.model import qualified

State = Literal["allowed", "part", "refused", "leak", "missing", "failed", "residual"]
Column: TypeAlias = tuple[str, str]  # role, identity

_OPERATIONS = ("select", "insert", "update", "delete")
# what counts for an operation beside it, where it does not end as declared
_BESIDE: Mapping[str, str] = {
    "copy to": "select",
    "returning": "select",
    "usage": "insert",
    "copy from": "insert",
    "for update": "update",
    "merge": "update",
    "truncate": "delete",
}
_ROLE_ITSELF = "the role itself"
_WIDE = "-"  # the box of a cell that has no operations


class _Look(NamedTuple):
    """How a state is drawn; without a mark the operation's letter stands for it."""

    fill: str
    ink: str
    mark: str


_LOOKS: Mapping[State, _Look] = {
    "allowed": _Look("#0072b2", "#ffffff", ""),
    "part": _Look("#a6cee3", "#08306b", ""),
    "refused": _Look("#eceff1", "#78909c", "·"),
    "leak": _Look("#d55e00", "#ffffff", "!"),
    "missing": _Look("#ffffff", "#000000", "x"),
    "failed": _Look("#000000", "#ffffff", "?"),
    "residual": _Look("#f0e442", "#000000", "r"),
}
_MEANING: Mapping[State, str] = {
    "allowed": "allowed, as declared",
    "part": "allowed for some rows or columns, as declared",
    "refused": "refused, as declared",
    "leak": "LEAK: possible, and declared refused",
    "missing": "missing: declared, and not possible",
    "failed": "failed for a reason of its own",
    "residual": "left open by PostgreSQL itself",
}
_MOST_ROWS, _MOST_COLUMNS = 40, 16
_LONGEST_NAME = 34
_BOX, _CELL, _HEAD, _CHARACTER = 13, 31, 92, 7
_FONT = "font-family='system-ui, -apple-system, Segoe UI, sans-serif'"


def attack_matrix(*runs: AttackRun) -> str:
    """The cross product of each of *runs*, beside one another, as SVG with a description in words.

    A row is a table, a column a role (and for whom it acts), a cell the four operations; the mark says
    what was declared and happened. Of more rows or columns than fit, those with a difference come first.
    """
    panels = [_Panel(run) for run in runs]
    columns = _fitting(panels, [panel.columns for panel in panels], _MOST_COLUMNS, by_row=False)
    rows = _fitting(panels, [panel.rows for panel in panels], _MOST_ROWS, by_row=True)
    label = int(max((len(_short(each)) for each in rows), default=0) * _CHARACTER) + 12
    width = label + len(panels) * (len(columns) * _CELL + 24) + 40
    height = _HEAD + 44 + len(rows) * _CELL
    notes = [*_clipped(panels, rows, columns)]
    body = [_row_labels(rows, label)]
    for number, panel in enumerate(panels):
        body.append(_panel(panel, rows, columns, label + number * (len(columns) * _CELL + 24)))
    legend_top = height + 8
    used = [state for state in _LOOKS if any(f"#attack-{state}" in each for each in body)]
    body.append(_legend(legend_top, used, notes))
    height = legend_top + 18 * (2 + (len(used) + 1) // 2 + len(notes))
    width = max(width, 640)
    words = escape(" ".join([*(f"{panel.run.design}: {panel.words}." for panel in panels), *notes]))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
        f"height='{height}' role='img' {_FONT} font-size='12'><title>Attack matrix</title>"
        f"<desc>{words}</desc>{_symbols()}<rect width='{width}' height='{height}' fill='#ffffff'/>"
        f"{''.join(body)}</svg>"
    )


@dataclass(frozen=True)
class _Panel:
    """One run, its attempts of the cross product by row and column of the picture."""

    run: AttackRun

    @cached_property
    def attempts(self) -> list[Attempt]:
        matrix = [each for each in self.run.attempts if each.group == "matrix"]
        attacked = {each.role for each in matrix if each.operation in ("attributes", "connect", "set role")}
        return [each for each in matrix if each.role in attacked]  # a superuser is for reference alone

    @cached_property
    def _tables(self) -> frozenset[tuple[str, str]]:
        """The tables that have a row of their own; what is beside them shares one a schema."""
        return frozenset(
            each.table for each in self.attempts if each.table and each.operation in ("copy to", "copy from")
        )

    def row_of(self, attempt: Attempt) -> str:
        if attempt.table is None:
            return _ROLE_ITSELF
        if attempt.table in self._tables:
            return qualified(*attempt.table)
        rest = "all else" if attempt.table[0] in self._schemas else "all of it"
        return f"{qualified(attempt.table[0])}: {rest}"

    @cached_property
    def _schemas(self) -> frozenset[str]:
        return frozenset(schema for schema, _ in self._tables)

    @cached_property
    def cells(self) -> Mapping[tuple[str, Column], list[Attempt]]:
        found: dict[tuple[str, Column], list[Attempt]] = defaultdict(list)
        for each in self.attempts:
            found[self.row_of(each), (each.role, each.identity)].append(each)
        return found

    @property
    def rows(self) -> list[str]:
        """Tables in the order of their names, what else a schema has behind them, the roles last."""
        found = {self.row_of(each) for each in self.attempts}
        return sorted(found, key=_order)

    @property
    def columns(self) -> list[Column]:
        return list(dict.fromkeys((each.role, each.identity) for each in self.attempts))

    @property
    def totals(self) -> Counter[str]:
        found = Counter(leaks=0, missing=0, failed=0)
        for each in self.attempts:
            found["leaks"] += each.leak
            found["missing"] += each.missing
            found["failed"] += each.observed == "failed"
        return found

    @property
    def words(self) -> str:
        totals = self.totals
        failed = f", {totals['failed']:,} failed" if totals["failed"] else ""
        return f"{_plural(totals['leaks'], 'leak')}, {totals['missing']:,} missing{failed} in " + _plural(
            len(self.attempts), "attempt"
        )


def _state(attempts: Iterable[Attempt], operation: str) -> tuple[State | None, list[Attempt]]:
    """How the *operation* of one cell stands, and the attempts that say so; None where none was made."""
    own = [each for each in attempts if each.operation == operation]
    beside = [each for each in attempts if _BESIDE.get(each.operation) == operation]
    both = own + beside
    for state, found in (
        ("leak", [each for each in both if each.leak]),
        ("missing", [each for each in both if each.missing]),
        ("failed", [each for each in both if not each.as_declared]),
    ):
        if found:
            return state, found  # type: ignore[return-value]
    declared = {each.declared for each in own}
    if declared >= {"allowed", "refused"}:
        return "part", own
    for name, state in (("allowed", "allowed"), ("refused", "refused"), ("residual", "residual")):
        if name in declared:
            return state, own  # type: ignore[return-value]
    return None, []


def _fitting(panels: Sequence[_Panel], names: Sequence[Sequence], most: int, *, by_row: bool) -> list:  # type: ignore[type-arg]
    """The rows or columns that are drawn, in their order: all, or as many as fit, with differences first."""
    found = list(dict.fromkeys(each for some in names for each in some))
    if by_row:
        found.sort(key=_order)
    if len(found) <= most:
        return found
    wrong: Counter[object] = Counter()
    for panel in panels[-1:]:  # the design that counts is the last
        for (row, column), attempts in panel.cells.items():
            wrong[row if by_row else column] += sum(not each.as_declared for each in attempts)
    chosen = set(sorted(found, key=lambda each: (-wrong[each], found.index(each)))[:most])
    return [each for each in found if each in chosen]


def _order(row: str) -> tuple[bool, bool, str]:
    return row == _ROLE_ITSELF, row.endswith((": all else", ": all of it")), row


def _clipped(panels: Sequence[_Panel], rows: Sequence[str], columns: Sequence[Column]) -> list[str]:
    """What is not drawn, in words."""
    all_rows = {each for panel in panels for each in panel.rows}
    all_columns = {each for panel in panels for each in panel.columns}
    notes = []
    if len(all_rows) > len(rows):
        notes.append(f"{len(rows)} of {len(all_rows):,} rows are drawn, those with differences first.")
    if len(all_columns) > len(columns):
        notes.append(f"{len(columns)} of {len(all_columns):,} roles are drawn, those with differences first.")
    return notes


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _text(x: float, y: float, words: str, **attributes: str) -> str:
    more = "".join(f" {name.replace('_', '-')}='{value}'" for name, value in attributes.items())
    return f"<text x='{x:g}' y='{y:g}'{more}>{escape(words)}</text>"


def _row_labels(rows: Sequence[str], right: int) -> str:
    return "".join(
        _text(right - 8, _top(number) + 18, _short(name), text_anchor="end")
        for number, name in enumerate(rows)
    )


def _top(row: int) -> int:
    return _HEAD + 40 + row * _CELL


def _panel(panel: _Panel, rows: Sequence[str], columns: Sequence[Column], left: int) -> str:
    parts = [
        _text(left, 16, panel.run.design, font_weight="bold", font_size="14"),
        _text(left, 32, panel.words),
    ]
    for number, (role, identity) in enumerate(columns):
        x = left + number * _CELL + 16
        name = _short(role + (f" for {identity}" if identity else ""))
        turned = f"rotate(-55 {x} {_HEAD + 34})"
        parts.append(_text(x, _HEAD + 34, name, transform=turned, font_size="11"))
    for row, name in enumerate(rows):
        for number, column in enumerate(columns):
            attempts = panel.cells.get((name, column), [])
            parts.append(_cell(name, column, attempts, left + number * _CELL, _top(row)))
    return "".join(parts)


def _cell(name: str, column: Column, attempts: Sequence[Attempt], left: int, top: int) -> str:
    if name == _ROLE_ITSELF:
        return _role_cell(column, attempts, left, top)
    boxes = []
    for number, operation in enumerate(_OPERATIONS):
        state, found = _state(attempts, operation)
        if state is not None:
            x = left + (number % 2) * (_BOX + 1)
            y = top + (number // 2) * (_BOX + 1)
            boxes.append(_box(x, y, state, operation[0], _told(name, column, operation, state, found)))
    return "".join(boxes)


def _role_cell(column: Column, attempts: Sequence[Attempt], left: int, top: int) -> str:
    wrong = [each for each in attempts if not each.as_declared]
    if not attempts:
        return ""
    state: State = "refused" if not wrong else ("leak" if any(each.leak for each in wrong) else "missing")
    return _box(left, top, state, _WIDE, _told(_ROLE_ITSELF, column, "log in, be, become", state, wrong))


def _told(name: str, column: Column, operation: str, state: State, attempts: Sequence[Attempt]) -> str:
    if state == "refused":
        return ""  # most are, and the picture says so
    role, identity = column
    lines = [f"{role}{f' for {identity}' if identity else ''}, {name}, {operation}: {_MEANING[state]}"]
    if state in ("leak", "missing", "failed"):
        lines += [f"{each.name}: {each.detail}" for each in attempts[:3]]
    return "\n".join(lines)


def _box(x: float, y: float, state: State, letter: str, told: str = "") -> str:
    title = f"<title>{escape(told)}</title>" if told else ""
    return f"<use href='#{_symbol(state, letter)}' x='{x:g}' y='{y:g}'>{title}</use>"


def _symbol(state: State, letter: str) -> str:
    shown = letter if not _LOOKS[state].mark or letter == _WIDE else ""
    return f"attack-{state}{shown}"


def _symbols() -> str:
    """Each look once, which every cell of the picture refers to."""
    found = {
        _symbol(state, letter): (state, letter) for state in _LOOKS for letter in ("s", "i", "u", "d", _WIDE)
    }
    return "<defs>" + "".join(_drawn(name, *each) for name, each in found.items()) + "</defs>"


def _drawn(name: str, state: State, letter: str) -> str:
    look = _LOOKS[state]
    width = 2 * _BOX + 1 if letter == _WIDE else _BOX
    edge = " stroke='#000000' stroke-dasharray='2 1'" if state == "missing" else ""
    weight = "bold" if state in ("leak", "missing", "failed") else "normal"
    words = _text(
        width / 2, 10, look.mark or letter.strip(_WIDE),
        fill=look.ink, text_anchor="middle", font_size="10.5", font_weight=weight,
    )  # fmt: skip
    return (
        f"<g id='{name}'><rect width='{width}' height='{_BOX}' rx='2' fill='{look.fill}'{edge}/>{words}</g>"
    )


def _legend(top: int, used: Sequence[State], notes: Sequence[str]) -> str:
    words = "s select, i insert above; u update, d delete below"
    parts = [_text(8, top + 14, f"Each cell: {words} (with COPY, MERGE, RETURNING, TRUNCATE).")]
    for number, state in enumerate(used):
        x, y = 8 + (number % 2) * 320, top + 26 + (number // 2) * 18
        parts.append(_box(x, y, state, "s") + _text(x + 20, y + 11, _MEANING[state]))
    below = top + 26 + ((len(used) + 1) // 2) * 18
    parts += [_text(8, below + 12 + 16 * number, note) for number, note in enumerate(notes)]
    return "".join(parts)
