"""SQL as people write it: a file's statements, each with its line and comments, placeholders as ``$1``."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pglast import parse_sql
from pglast.parser import ParseError, Token, scan, split

_PSQL = "psql's own commands are not read: give values in a comment, -- values: name = 42"
_NAME = re.compile(r"--\s*name:[ \t]*(\S.*)")
_COMMENTS = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*(?:(?!/\*).)*?\*/)*", re.DOTALL)
_BEFORE_MARK = frozenset(("", "=", "<", ">", "<=", ">=", "<>", "!=", "+", "-", "*", "/", "||", "~", "%"))


class NotParsed(Exception):
    """A text is no SQL: *reason*, and *at*, the character where it goes wrong."""

    def __init__(self, reason: str, at: int) -> None:
        self.reason = reason
        self.at = at
        super().__init__(reason)


@dataclass(frozen=True)
class Parsed:
    """One statement as PostgreSQL's own parser reads it.

    *sql* has ``$1`` … for its placeholders; *parameters* are their names in that order ("1", "2" where they
    have none). *tree* is pglast's node.
    """

    sql: str
    parameters: tuple[str, ...]
    tree: Any = field(repr=False, compare=False)


@dataclass(frozen=True)
class Written:
    """A statement of a file: the *number*-th in it, from *line* on, and the comments that belong to it."""

    number: int
    line: int
    comments: str
    parsed: Parsed

    @property
    def name(self) -> str:
        """What ``-- name:`` says; empty without."""
        found = _NAME.search(self.comments)
        return found[1].strip() if found else ""


@dataclass(frozen=True)
class Mistake:
    """What of a file is no SQL: from which *line* on, and why."""

    line: int
    reason: str


def written_statements(text: str) -> Iterator[Written | Mistake]:
    """The statements of *text* in their order, and in their place what does not parse;
    psql's own commands come first.

    Where a quotation or a comment never ends, what follows it is one mistake.
    """
    lines = _Lines(text)
    text, commands = _without_psql(text)
    yield from (Mistake(lines.of(at), _PSQL) for at in commands)
    end, broken = _readable(text)
    behind = 0
    pieces = split(text[:end], with_parser=False, only_slices=True) if end else ()
    for number, piece in enumerate([*pieces, slice(end, end)], start=1):
        # what has no word of SQL in it is left out by split, though it may be a statement misspelt
        yield from _mistake_in_gap(text, slice(behind, piece.start), lines)
        statement = text[piece]
        inner = _line_comments(statement)
        comments = _behind_semicolon(text[behind : piece.start]) + inner
        behind = piece.stop
        begin = _COMMENTS.match(statement)
        start = piece.start + (begin.end() if begin else 0)
        if start == piece.stop:
            continue  # comments alone
        try:
            parsed = parsed_statement(text[start : piece.stop])
        except NotParsed as exc:
            yield Mistake(lines.of(start + exc.at), exc.reason)
            continue
        yield Written(number, lines.of(start), comments, parsed)
    if broken is not None:
        yield Mistake(lines.of(broken.at), broken.reason)


def parsed_statement(text: str) -> Parsed:
    """The one statement *text*, a semicolon at its end or not. Raises NotParsed.

    Placeholders are ``$1``, ``:name``, ``%(name)s``, ``%s`` and ``?``; a ``?`` is one only where the
    statement does not parse with it as an operator (of jsonb, say). Where ``%(name)s`` or ``%s`` is used
    ``%%`` stands for a percent sign, as in Python's drivers.
    """
    if "\0" in text:
        raise NotParsed("it holds a zero byte", text.index("\0"))
    text, tokens = _without_end(text)
    found = [*_placeholders(text, tokens)]
    sql, parameters = _numbered(text, tokens, found)
    try:
        return Parsed(sql, parameters, _only_statement(sql))
    except NotParsed:
        marks = [*_question_marks(text, tokens)]
        if not marks:
            raise
    sql, parameters = _numbered(text, tokens, sorted([*found, *marks], key=lambda each: each.begin))
    return Parsed(sql, parameters, _only_statement(sql))


def without_prepare(sql: str) -> str:
    """What ``prepare name(…) as …`` prepares; another statement as it is."""
    try:
        tokens = [token for token in scan(sql) if token.name not in ("SQL_COMMENT", "C_COMMENT")]
    except ParseError:  # the caller's parser will say so
        return sql
    if not tokens or tokens[0].name != "PREPARE":
        return sql
    begin = next((token.end + 1 for token in tokens if token.name == "AS"), 0)
    return sql[begin:].strip()


def first_word(sql: str) -> str:
    """The first word of *sql* in small letters; empty where there is none."""
    begin = _COMMENTS.match(sql)
    found = re.match(r"\w+|\S", sql[begin.end() if begin else 0 :])
    return found[0].lower() if found else ""


def parameter_tokens(sql: str) -> list[tuple[int, int, int]]:
    """The parameters of *sql* as (number, begin, end) in the order of the text."""
    return [
        (int(sql[token.start + 1 : token.end + 1]), token.start, token.end + 1)
        for token in scan(sql)
        if token.name == "PARAM"
    ]


def _without_end(text: str) -> tuple[str, list[Token]]:
    """*text* up to its last word, without the semicolons and comments behind it; its tokens."""
    tokens = _tokens(text)
    while tokens and tokens[-1].name in ("ASCII_59", "SQL_COMMENT", "C_COMMENT"):
        tokens.pop()
    return text[: tokens[-1].end + 1] if tokens else "", tokens


def _only_statement(sql: str) -> Any:
    try:
        statements = parse_sql(sql)
    except ParseError as exc:
        raise _not_parsed(exc, sql) from exc
    if len(statements) != 1:
        raise NotParsed("it is not one statement", 0)
    return statements[0].stmt


def _tokens(text: str) -> list[Token]:
    try:
        return list(scan(text))
    except ParseError as exc:
        raise _not_parsed(exc, text) from exc


def _not_parsed(exc: ParseError, text: str) -> NotParsed:
    """At the end of the input the parser gives no place."""
    at = exc.args[1] if len(exc.args) > 1 and exc.args[1] is not None else max(len(text.rstrip()) - 1, 0)
    return NotParsed(str(exc.args[0]).strip().split("\n")[0], at)


def _behind_semicolon(gap: str) -> str:
    """What of a *gap* belongs to the statement behind it, not to what ended before, be it misspelt."""
    try:
        ends = [token.end + 1 for token in scan(gap) if token.name == "ASCII_59"]
    except ParseError:
        return gap
    return gap[ends[-1] :] if ends else gap


def _mistake_in_gap(text: str, piece: slice, lines: _Lines) -> Iterator[Mistake]:
    gap = text[piece]
    if "\0" in gap:
        yield Mistake(lines.of(piece.start + gap.index("\0")), "it holds a zero byte")
        return
    try:
        parse_sql(gap)
    except ParseError as exc:
        found = _not_parsed(exc, gap)
        yield Mistake(lines.of(piece.start + found.at), found.reason)


def _readable(text: str) -> tuple[int, NotParsed | None]:
    """How much of *text* can be split into statements, and what is wrong behind it."""
    try:
        scan(text)
    except ParseError as exc:
        broken = _not_parsed(exc, text)
        before = [token.end + 1 for token in scan(text[: broken.at]) if token.name == "ASCII_59"]
        return (before[-1] if before else 0), broken
    return len(text), None


def _without_psql(text: str) -> tuple[str, list[int]]:
    """*text* with blanks for psql's commands, lines that begin with a backslash, and where they stand."""
    if "\\" not in text:
        return text, []
    try:
        tokens = scan(text)
    except ParseError:
        return text, []
    starts = [
        token.start
        for token in tokens
        if token.name == "ASCII_92" and not text[text.rfind("\n", 0, token.start) + 1 : token.start].strip()
    ]
    for start in starts:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        text = text[:start] + " " * (end - start) + text[end:]
    return text, starts


def _line_comments(statement: str) -> str:
    """The ``--`` comments inside *statement*, a line each; what a string holds is none."""
    try:
        tokens = scan(statement)
    except ParseError:
        return ""
    return "".join(
        statement[token.start : token.end + 1].rstrip() + "\n"
        for token in tokens
        if token.name == "SQL_COMMENT"
    )


@dataclass(frozen=True)
class _Placeholder:
    """A placeholder between two characters; *name* is empty for one that is told by its place."""

    begin: int
    end: int
    name: str
    percent: bool = False


def _placeholders(text: str, tokens: Sequence[Token]) -> Iterator[_Placeholder]:
    """``:name``, ``:'name'``, ``%(name)s`` and ``%s`` outside of strings and comments."""
    for at, token in enumerate(tokens):
        after = [text[each.start : each.end + 1] for each in _adjacent(tokens[at : at + 5])]
        last = text[token.end]
        # `a[low:high]`, `a[:f(x)]` and `5%s` are no placeholders
        joined = token.start > 0 and (text[token.start - 1].isalnum() or text[token.start - 1] in "_:")
        if token.name == "ASCII_58" and after and not joined and after[1:2] not in (["."], ["("]):
            name = after[0].strip("'")
            if name.isidentifier():
                yield _Placeholder(token.start, token.end + 1 + len(after[0]), name)
        elif last == "%" and len(after) >= 4 and (after[0], after[2], after[3]) == ("(", ")", "s"):
            yield _Placeholder(token.end, token.end + 4 + len(after[1]), after[1], percent=True)
        elif last == "%" and after[:1] == ["s"] and not (joined and token.start == token.end):
            yield _Placeholder(token.end, token.end + 2, "", percent=True)


def _adjacent(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens behind the first without a gap between them."""
    for before, token in pairwise(tokens):
        if token.start != before.end + 1:
            return
        yield token


def _question_marks(text: str, tokens: Sequence[Token]) -> Iterator[_Placeholder]:
    for token in tokens:
        written = text[token.start : token.end + 1]
        if token.name == "Op" and written.endswith("?") and written[:-1] in _BEFORE_MARK:
            yield _Placeholder(token.end, token.end + 1, "")


def _numbered(
    text: str, tokens: Sequence[Token], found: Sequence[_Placeholder]
) -> tuple[str, tuple[str, ...]]:
    """*text* with the placeholders as ``$n``, and the parameters' names. Raises NotParsed for a mixture."""
    native = [int(text[token.start + 1 : token.end + 1]) for token in tokens if token.name == "PARAM"]
    styles = {bool(each.name) for each in found} | ({None} if native else set())
    if len(styles) > 1:
        raise NotParsed("it mixes kinds of placeholders: write all as $1, or all as :name, or all as ?", 0)
    if not found:
        return text, tuple(str(number) for number in range(1, max(native, default=0) + 1))
    doubled = any(each.percent for each in found)
    names: dict[str, int] = {}
    parts: list[str] = []
    behind = 0
    for each in found:
        between = text[behind : each.begin]
        number = names.setdefault(each.name or str(len(names) + 1), len(names) + 1)
        parts += [between.replace("%%", "%") if doubled else between, f"${number}"]
        behind = each.end
    parts.append(text[behind:].replace("%%", "%") if doubled else text[behind:])
    return "".join(parts), tuple(names)


class _Lines:
    """Line numbers of the characters of a text, from 1."""

    def __init__(self, text: str) -> None:
        self._ends = [at for at, character in enumerate(text) if character == "\n"]

    def of(self, at: int) -> int:
        return bisect_left(self._ends, at) + 1
