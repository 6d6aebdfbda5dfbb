"""Strings that match a regular expression or a LIKE pattern, for the patterns that people put into checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_CLASSES = {
    "alpha": "aA",
    "upper": "A",
    "lower": "a",
    "digit": "1",
    "alnum": "a1",
    "space": " ",
    "punct": ".",
    "xdigit": "a1",
    "word": "a_",
    "print": "a",
    "graph": "a",
    "blank": " ",
    "cntrl": "\t",
}
_ESCAPES = {"d": "1", "w": "a", "s": " ", "n": "\n", "t": "\t", "r": "\r", "D": "a", "W": "-", "S": "a"}
_EMPTY_ESCAPES = frozenset("AZmMyYbB<>")
_PROBES = "aA1 _-.@!~é"


@dataclass
class _Reader:
    """A pattern and how far it was read; *extra* is how often an optional part is repeated."""

    text: str
    extra: int
    branch: int
    at: int = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, count: int = 1) -> str:
        found = self.text[self.at : self.at + count]
        self.at += count
        return found

    def take_until(self, end: str) -> str:
        stop = self.text.find(end, self.at)
        if stop < 0:
            raise ValueError(f"{self.text!r} has no {end!r} after position {self.at}")
        found = self.text[self.at : stop]
        self.at = stop + len(end)
        return found


def matching_regex(pattern: str) -> list[str]:
    """Some strings that should match the POSIX pattern, none where it is beyond this grammar.

    The grammar is literals, classes, groups, alternatives and quantifiers; anchors, constraints and
    lookaround are taken as empty. The caller lets the server decide what really matches.
    """
    found = []
    for extra, branch in ((0, 0), (1, 0), (0, 1), (2, 0), (7, 0)):
        reader = _Reader(_without_options(pattern), extra, branch)
        try:
            found.append(_alternatives(reader))
        except ValueError:
            return []
    return list(dict.fromkeys(found))


def matching_like(pattern: str) -> list[str]:
    """Strings that match the LIKE pattern, its default escape character included."""
    return list(dict.fromkeys("".join(_like_parts(pattern, wild)) for wild in ("", "a")))


def _like_parts(pattern: str, wild: str) -> Iterator[str]:
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            yield next(characters, "")
        elif character == "%":
            yield wild
        elif character == "_":
            yield "a"
        else:
            yield character


def _without_options(pattern: str) -> str:
    """The pattern without the embedded options or director at its head."""
    if pattern.startswith("***:"):
        return pattern[4:]
    if pattern.startswith("(?") and pattern[2:3].isalpha() and ")" in pattern:
        return pattern.partition(")")[2]
    return pattern


def _alternatives(reader: _Reader) -> str:
    branches = [_sequence(reader)]
    while reader.peek() == "|":
        reader.take()
        branches.append(_sequence(reader))
    return branches[min(reader.branch, len(branches) - 1)]


def _sequence(reader: _Reader) -> str:
    parts = []
    while reader.peek() not in ("", "|", ")"):
        atom = _atom(reader)
        parts.append(atom * _repeats(reader))
    return "".join(parts)


def _atom(reader: _Reader) -> str:
    character = reader.take()
    if character == "(":
        return _group(reader)
    if character == "[":
        return _bracket(reader)
    if character == "\\":
        return _escape(reader)
    if character in "^$":
        return ""
    return "a" if character == "." else character


def _group(reader: _Reader) -> str:
    silent = False
    if reader.peek() == "?":
        marker = reader.take(2)
        if marker == "?<":
            reader.take()
        silent = marker != "?:"
    inside = _alternatives(reader)
    if reader.take() != ")":
        raise ValueError(f"{reader.text!r} has an open group")
    return "" if silent else inside


def _escape(reader: _Reader) -> str:
    character = reader.take()
    if not character:
        raise ValueError(f"{reader.text!r} ends in a backslash")
    if character in _EMPTY_ESCAPES:
        return ""
    return _ESCAPES.get(character, character)


def _bracket(reader: _Reader) -> str:
    """One character of the bracket expression that begins here."""
    negated = reader.peek() == "^"
    if negated:
        reader.take()
    members: list[str] = []
    while reader.peek() != "]" or not members:
        if not reader.peek():
            raise ValueError(f"{reader.text!r} has an open bracket")
        members += _members(reader)
    reader.take()
    if not negated:
        return members[0]
    return next((probe for probe in _PROBES if probe not in members), "ß")


def _members(reader: _Reader) -> list[str]:
    """The characters of the next item of a bracket expression: of a range, all of them."""
    character = reader.take()
    if character == "[" and reader.peek() in (":", ".", "="):
        kind = reader.take()
        name = reader.take_until(kind + "]")
        return list(_CLASSES.get(name, name)) if kind == ":" else list(name)
    if character == "\\":
        character = _escape(reader)
    if reader.peek() == "-" and reader.text[reader.at + 1 : reader.at + 2] not in ("]", ""):
        reader.take()
        end = reader.take()
        if end == "\\":
            end = _escape(reader)
        return [chr(code) for code in range(ord(character), min(ord(end), ord(character) + 300) + 1)]
    return [character]


def _repeats(reader: _Reader) -> int:
    """How often the atom just read is written, by the quantifier that follows it."""
    least, most = 1, 1
    character = reader.peek()
    if character and character in "*+?":
        reader.take()
        least, most = (1, 1000) if character == "+" else (0, 1 if character == "?" else 1000)
    elif character == "{":
        reader.take()
        low, comma, high = reader.take_until("}").partition(",")
        least = int(low)
        most = int(high) if high else 1000 if comma else least
    else:
        return 1
    if reader.peek() == "?":
        reader.take()
    return min(least + reader.extra, most)
