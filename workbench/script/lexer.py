r"""Split a psql script into statements, meta-commands and COPY data, by psql's own rules.

The rules are those of PostgreSQL 18's ``psqlscan.l`` and ``psqlscanslash.l``: what ends a statement
(``;`` outside of parentheses, quotes, comments and ``BEGIN ATOMIC … END``), what starts a
meta-command (a backslash outside of quotes and comments) and where that one ends (the line, or the
next unquoted backslash). psql lexes line by line, so ``'a'`` continued on the next line keeps no
memory of its ``E``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import pglast

_IDENT_START = r"A-Za-z_\u0080-\U0010ffff"
_IDENT = rf"[{_IDENT_START}][{_IDENT_START}0-9$]*"
_NAME = rf"[{_IDENT_START}0-9]+"
_TOKEN = re.compile(
    rf"""
    (?P<space>[ \t\n\r\f\v]+)
  | (?P<comment>--[^\n\r]*)
  | (?P<block>/\*)
  | (?P<escaped>[eE]')
  | (?P<unicode>[uU]&["'])
  | (?P<prefixed>[bBxXnN]')
  | (?P<word>{_IDENT})
  | (?P<number>(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)
      (?:[eE][+-]?[0-9][0-9_]*(?:{_IDENT})?|[eE][+-]|{_IDENT})?)
  | (?P<dollar>\$(?:[{_IDENT_START}][{_IDENT_START}0-9]*)?\$)
  | (?P<parameter>\$[0-9]+(?:{_IDENT})?)
  | (?P<quote>['"])
  | (?P<pushed>\\[;:])
  | (?P<backslash>\\)
  | (?P<semicolon>;)
  | (?P<open>\()
  | (?P<close>\))
  | (?P<cast>::|:=)
  | (?P<variable>:(?:{_NAME}|'{_NAME}'|"{_NAME}"|\{{\?{_NAME}\}}))
  | (?P<other>[^A-Za-z0-9_\u0080-\U0010ffff \t\n\r\f\v'"$\\;():/.-]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED = {
    "'": re.compile(r"[^']*(?:''[^']*)*'"),
    '"': re.compile(r'[^"]*(?:""[^"]*)*"'),
    "e": re.compile(r"[^'\\]*(?:(?:\\.|'')[^'\\]*)*'", re.DOTALL),
}
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_COMMAND_NAME = re.compile(r"[^ \t\n\r\f\v\\]*")
_WHOLE_LINE = frozenset(
    {"!", "copy", "h", "help", "ef", "ev", "sf", "sf+", "sv", "sv+", "restrict", "unrestrict"}
)
_SLASH_ARGUMENT = re.compile(r"""'(?:[^'\\\n]|\\[^\n]|'')*'?|"[^"\n]*"?|`[^`\n]*`?|[^'"`\\\n]+""")
_DATA_END = re.compile(r"^\\\.\r?$", re.MULTILINE)
_EMPTY_LINE = re.compile(r"\n(?=\n)")
_ROUTINE = re.compile(r"c(?:or)?[fp]")
_STANDARD_STRINGS = re.compile(
    r"set\s+(?:session\s+|local\s+)?standard_conforming_strings\s*(?:=|to)\s*'?(\w+)", re.IGNORECASE
)
_SENDING = frozenset({"g", "gx", "gset", "gexec", "gdesc", "crosstabview", "watch"})


@dataclass(frozen=True)
class MetaCommand:
    r"""A backslash command: ``\set x 1`` has the name ``set`` and the arguments ``x 1``."""

    name: str
    arguments: str
    line: int

    @property
    def text(self) -> str:
        """The command as it stands in the file, on one line."""
        return f"\\{self.name} {self.arguments.strip()}".strip()

    @property
    def sends(self) -> bool:
        """Whether it ends the statement before it, as a semicolon does."""
        return self.name in _SENDING


@dataclass(frozen=True)
class Sql:
    """A stretch of SQL without a meta-command in it; *line* is where it begins.

    Its empty lines, other than those in quotes and comments, have got a blank: psql would drop them,
    and the line that the server names in an error would be wrong.
    """

    text: str
    line: int


@dataclass(frozen=True)
class Variable:
    """A psql variable in SQL: its *form* is ``bare``, ``quoted`` or ``test``."""

    name: str
    form: str
    line: int


@dataclass(frozen=True)
class Statement:
    r"""A statement, from its first token to its end, with the COPY data that follow it.

    *code* is the text with comments and the contents of strings and quoted names blanked (same length).
    *terminated* is whether ``;`` or a sending meta-command ended it; the end of the file did otherwise.
    *joined* is whether ``\;`` joins several statements in it.
    *open* names what was left unclosed at the end of the file (``quote``, ``comment``, ``parenthesis``).
    """

    line: int
    end_line: int
    parts: tuple[Sql | MetaCommand, ...]
    code: str
    terminated: bool = True
    joined: bool = False
    open: str | None = None
    variables: tuple[Variable, ...] = ()
    data: str | None = None
    data_line: int | None = None

    @cached_property
    def text(self) -> str:
        """The SQL of the statement, without its terminator and without meta-commands."""
        text = "\n".join(part.text for part in self.parts if isinstance(part, Sql))
        return text.removesuffix(";") if self.code.endswith(";") else text.rstrip()

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The first words of the statement in lower case, quoted names left out."""
        return tuple(re.findall(r"[a-z_][a-z0-9_]*", self.code[:400].lower())[:8])

    @cached_property
    def tree(self) -> pglast.ast.Node | None:
        """PostgreSQL's parse tree of the statement, or None where it is not one statement that parses."""
        try:
            parsed = pglast.parse_sql(self.text)
        except (pglast.parser.ParseError, UnicodeEncodeError, ValueError):
            return None
        return parsed[0].stmt if len(parsed) == 1 else None


@dataclass
class _Pending:
    """A statement in the making."""

    parts: list[Sql | MetaCommand] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    begun: int | None = None
    line: int = 0
    joined: bool = False


class Lexer:
    """One pass over the *text* of a script; `items` yields what psql would act on, in order.

    *unclosed_comment* is the line of a comment that runs to the end of the text, once all items are out.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._position = 0
        self._line = 1
        self._counted = 0
        self._standard_strings = True
        self.unclosed_comment: int | None = None
        self._reset()

    def items(self) -> Iterator[Statement | MetaCommand]:
        """Statements, and the meta-commands that stand between statements."""
        text = self.text
        match_token = _TOKEN.match
        while self._position < len(text):
            token = match_token(text, self._position)
            assert token is not None
            kind = token.lastgroup
            begin, end = token.span()
            if kind == "space":
                self._position = end
                self._add(_EMPTY_LINE.sub("\n ", token[0]))
            elif kind in ("comment", "block"):
                self._comment(begin, kind)
            elif kind == "semicolon" and self._parentheses == 0 and self._blocks == 0:
                self._begin(begin)
                self._position = end
                self._add(";")
                yield from self._finish(end, terminated=True)
            elif kind == "backslash":
                yield from self._meta(begin)
            else:
                self._begin(begin)
                self._token(kind or "", token)
        yield from self._finish(len(text), terminated=False)

    # -- statements

    def _reset(self) -> None:
        self._pending = _Pending()
        self._parentheses = 0
        self._blocks = 0
        self._words = ""
        self._word_count = 0
        self._open: str | None = None

    def _line_of(self, position: int) -> int:
        self._line += self.text.count("\n", self._counted, position)
        self._counted = position
        return self._line

    def _begin(self, position: int) -> None:
        """Note that a token of the statement starts at *position*."""
        pending = self._pending
        if pending.begun is None:
            pending.begun = self._line_of(position)
            if not pending.parts:
                pending.line = pending.begun

    def _add(self, text: str, code: str | None = None) -> None:
        """Append to the open stretch of SQL, if one is open; *code* is how it looks with strings blanked."""
        if self._pending.begun is not None:
            self._pending.text.append(text)
            self._pending.code.append(text if code is None else code)

    def _token(self, kind: str, token: re.Match[str]) -> None:
        begin, end = token.span()
        code = token[0]
        if kind == "word":
            self._word(code)
        elif kind == "open":
            self._parentheses += 1
        elif kind == "close":
            self._parentheses = max(0, self._parentheses - 1)
        elif kind == "pushed":
            code = "  "
            if token[0] == r"\;":
                self._word_count = 0
                self._pending.joined = True
        elif kind == "variable":
            self._variable(code, begin)
        elif kind in ("quote", "escaped", "unicode", "prefixed", "dollar"):
            end = self._quoted_end(kind, token)
            closing = " " if self._open else self.text[end - 1]
            code = code[-1] + " " * (end - begin - 2) + closing
        self._add(self.text[begin:end], code)
        self._position = end

    def _word(self, word: str) -> None:
        """Follow BEGIN … END of a routine's body, as psql does."""
        lower = word.lower()
        if self._word_count == 0:
            self._words = ""
        if self._word_count < 4:
            known = lower in ("create", "function", "procedure", "or", "replace")
            self._words += lower[0] if known else " "
        self._word_count += 1
        if self._parentheses or not _ROUTINE.match(self._words):
            return
        if lower == "begin" or (lower == "case" and self._blocks):
            self._blocks += 1
        elif lower == "end" and self._blocks:
            self._blocks -= 1

    def _variable(self, token: str, begin: int) -> None:
        form = {"'": "quoted", '"': "quoted", "{": "test"}.get(token[1], "bare")
        name = token[1:] if form == "bare" else token.strip(":'\"{}?")
        self._pending.variables.append(Variable(name, form, self._line_of(begin)))

    def _quoted_end(self, kind: str, token: re.Match[str]) -> int:
        """The end of the quoted token; the end of the text where it is not closed."""
        if kind == "dollar":
            found = self.text.find(token[0], token.end())
            end = found + len(token[0]) if found >= 0 else -1
        else:
            backslashes = kind == "escaped" or (
                kind == "quote" and token[0] == "'" and not self._standard_strings
            )
            closing = _QUOTED["e" if backslashes else token[0][-1]].match(self.text, token.end())
            end = closing.end() if closing else -1
        if end < 0:
            self._open = "quote"
            return len(self.text)
        return end

    def _comment(self, begin: int, kind: str) -> None:
        text = self.text
        if kind == "comment":
            found = re.compile(r"[\n\r]").search(text, begin)
            end = found.start() if found else len(text)
        else:
            depth, end = 1, begin + 2
            while depth:
                edge = _COMMENT_EDGE.search(text, end)
                if edge is None:
                    self._open, end = "comment", len(text)
                    self.unclosed_comment = self._line_of(begin)
                    break
                depth += 1 if edge[0] == "/*" else -1
                end = edge.end()
        self._add(text[begin:end], re.sub(r"[^\n]", " ", text[begin:end]))
        self._position = end

    def _cut(self) -> None:
        """Close the stretch of SQL that is open."""
        pending = self._pending
        if pending.begun is not None:
            pending.parts.append(Sql("".join(pending.text), pending.begun))
            pending.text.clear()
            pending.begun = None

    def _finish(self, end: int, *, terminated: bool) -> Iterator[Statement]:
        pending = self._pending
        if pending.begun is None and not any(isinstance(part, Sql) for part in pending.parts):
            self._reset()
            return
        self._cut()
        statement = Statement(
            line=pending.line,
            end_line=self._line_of(max(end - 1, 0)),
            parts=tuple(pending.parts),
            code="".join(pending.code),
            terminated=terminated,
            joined=pending.joined,
            open=self._open or ("parenthesis" if self._parentheses and not terminated else None),
            variables=tuple(pending.variables),
        )
        self._reset()
        if statement.text.strip() or len(statement.parts) > 1:
            self._follow_settings(statement)
            yield self._with_data(statement) if reads_data(statement) else statement

    def _follow_settings(self, statement: Statement) -> None:
        if statement.words[:1] == ("set",) and (found := _STANDARD_STRINGS.match(statement.text)):
            self._standard_strings = found[1].lower() not in ("off", "false", "no", "0")

    # -- COPY data

    def _with_data(self, statement: Statement) -> Statement:
        """*statement* with the lines after its own, up to ``\\.`` or the end of the file."""
        text = self.text
        eol = text.find("\n", self._position)
        rest = text[self._position : eol if eol >= 0 else len(text)]
        if rest.split("--")[0].strip():
            raise TextAfterCopy(statement.line)
        start = eol + 1 if eol >= 0 else len(text)
        stop = _DATA_END.search(text, start)
        end = stop.start() if stop else len(text)
        data_line = self._line_of(start)
        self._position = stop.end() if stop else len(text)
        return replace(statement, data=text[start:end], data_line=data_line)

    # -- meta-commands

    def _meta(self, begin: int) -> Iterator[Statement | MetaCommand]:
        text = self.text
        self._cut()
        name_match = _COMMAND_NAME.match(text, begin + 1)
        assert name_match is not None
        name, position = name_match[0], name_match.end()
        if text.startswith("\\\\", begin):  # a stray separator: psql takes it for an empty command
            name = "\\"
            position = begin + 2
            end = position
        elif name in _WHOLE_LINE:
            found = text.find("\n", position)
            end = found if found >= 0 else len(text)
        else:
            end = position
            while (argument := _SLASH_ARGUMENT.match(text, end)) is not None:
                end = argument.end()
        command = MetaCommand(name, text[position:end], self._line_of(begin))
        if name == "copy" and not self._pending.parts and (statement := _copied(command)):
            self._position = end
            yield self._with_data(statement) if reads_data(statement) else statement
            return
        if text.startswith("\\\\", end):
            end += 2
        self._position = end
        pending = self._pending
        if not pending.parts:
            yield command
            return
        pending.parts.append(command)
        pending.code.append(" ")
        if command.sends:
            yield from self._finish(end, terminated=True)
        elif command.name in ("r", "reset"):
            self._reset()


def _copied(command: MetaCommand) -> Statement | None:
    r"""``\copy … from stdin`` in a script is COPY … FROM STDIN; None where it reads or writes a file."""
    text = "copy " + command.arguments.strip().rstrip(";").rstrip()
    statement = Statement(command.line, command.line, (Sql(text + ";", command.line),), code=text + ";")
    tree = statement.tree
    return statement if isinstance(tree, pglast.ast.CopyStmt) and not tree.filename else None


class TextAfterCopy(Exception):
    """SQL stands on the line of a COPY … FROM STDIN, after it: psql would read the data first."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(line)


def reads_data(statement: Statement) -> bool:
    """Whether psql reads the lines after *statement* as the data of a COPY … FROM STDIN."""
    if statement.words[:1] != ("copy",) or not statement.terminated or statement.joined:
        return False
    tree = statement.tree
    return isinstance(tree, pglast.ast.CopyStmt) and bool(tree.is_from) and not tree.filename


def statements(text: str) -> list[Statement]:
    """The statements of *text*, meta-commands between them left out."""
    return [item for item in Lexer(text).items() if isinstance(item, Statement)]
