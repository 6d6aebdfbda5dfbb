"""The lexer against psql itself, on generated snippets."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

from workbench.engines.postgres import Server
from workbench.script.lexer import Lexer, MetaCommand, Statement

SEED = 20
_TOKENS = (
    "select", "begin", "end", "case", "create", "or replace", "function", "procedure", "atomic", "when",
    "x", "e", "E", "n", "U&", "u&", "b", "a$b$", "$1", "1", "1.", "1e", "1e-", "1.e+", "0x1", ".5",
    "'", "''", "E'", "e'", "U&'", "b'", "n'", '"', '""', 'U&"', "\\'", "'a'", '"a"', "E'\\''",
    "$$", "$a$", "$b$", "$", "$a", "--", "-", "/*", "*/", "/", "*", "/**/", "@", "@-- c",
    ";", ";", ";", "\\;", "\\:", "(", ")", ",", ".", "::", ":=", ":", "[1:2]", "é", "\u00a0",
    " ", " ", " ", "\t", "\n", "\n", "\n\n", "\r\n", "-- c\n", "\\echo a\n",
    "\\echo 'a\n", "\\echo a \\echo b\n",
)  # fmt: skip
_LOGGED = re.compile(r"/\*+ +QUERY +\*+/\n(.*?)\n/\*{20,}/\n", re.DOTALL)


def snippets(count: int) -> list[str]:
    """Made of tokens that matter, without commands that psql does not know: it drops the line after them."""
    chance = random.Random(SEED)
    found: list[str] = []
    while len(found) < count:
        snippet = "".join(chance.choice(_TOKENS) for _ in range(chance.randint(3, 24)))
        if all(name == "echo" for name in command_names(snippet)):
            found.append(snippet)
    return found


def command_names(script: str) -> list[str]:
    items = list(Lexer(script).items())
    parts = [part for item in items for part in (item.parts if isinstance(item, Statement) else (item,))]
    return [part.name for part in parts if isinstance(part, MetaCommand)]


def bare(text: str) -> str:
    r"""Without white space, comments, the semicolon at its end, and the backslash of ``\;``."""
    kept, depth, at = "", 0, 0
    while at < len(text):
        found = re.compile(r"/\*|\*/" if depth else r"/\*|--[^\n\r]*").search(text, at)
        kept += "" if depth else text[at : found.start() if found else len(text)]
        at = found.end() if found else len(text)
        depth += {"/*": 1, "*/": -1}.get(found[0], 0) if found else 0
    return re.sub(r"\\(?=[;:])|\s", "", kept).rstrip(";")


def by_psql(server: Server, database: str, scripts: list[str], folder: Path) -> list[list[str]]:
    """What psql sent for each of *scripts*, by its own log."""
    command: list[str | Path] = [server.binaries.path("psql"), "-X", "-q", "-L", folder / "log", "-d"]
    info = server.conninfo(database)
    command.append(f"host={info['host']} port={info['port']} user={info['user']} dbname={database}")
    for number, script in enumerate(scripts):
        path = folder / f"{number}.sql"
        path.write_text(script, encoding="utf-8", newline="")
        command += ["-f", path, "-c", f"rollback /* snippet {number} */"]
    subprocess.run(
        command,
        env={
            **server.binaries.environment(),
            "PGCLIENTENCODING": "UTF8",
            "PGPASSWORD": info.get("password", ""),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    sent: list[list[str]] = [[]]
    for query in _LOGGED.findall((folder / "log").read_text(encoding="utf-8")):
        if re.fullmatch(r"rollback /\* snippet \d+ \*/", query):
            sent.append([])
        else:
            sent[-1].append(query)
    return sent[:-1]


def by_lexer(script: str) -> list[str]:
    return [item.text for item in Lexer(script).items() if isinstance(item, Statement)]


def test_statements_are_those_that_psql_sends(server: Server, database: str, tmp_path: Path) -> None:
    """On 1,500 generated snippets the lexer finds the statements that psql sends, and where each ends."""
    scripts = snippets(1500)
    assert len(set(scripts)) > 1400

    wrong = []
    for script, sent in zip(scripts, by_psql(server, database, scripts, tmp_path), strict=True):
        ours = [text for text in map(bare, by_lexer(script)) if text]
        theirs = [text for text in map(bare, sent) if text]
        if ours != theirs:
            wrong.append((script, ours, theirs))
    assert wrong == []


def test_meta_commands_are_those_that_psql_obeys(server: Server, database: str, tmp_path: Path) -> None:
    r"""On generated snippets the lexer sees an ``\echo`` exactly where psql obeys one."""
    wrong = []
    for number, script in enumerate(snippets(150)):
        path = tmp_path / "snippet.sql"
        marked = script.replace("\\echo a\n", "\\echo MARK\n")
        path.write_text(marked, encoding="utf-8", newline="")
        info = server.conninfo(database)
        done = subprocess.run(
            [server.binaries.path("psql"), "-X", "-q", "-f", path, "-d",
             f"host={info['host']} port={info['port']} user={info['user']} dbname={database}"],
            env={**server.binaries.environment(), "PGPASSWORD": info.get("password", "")},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        items = list(Lexer(marked).items())
        parts = [part for item in items for part in (item.parts if isinstance(item, Statement) else (item,))]
        ours = sum(isinstance(part, MetaCommand) and part.text == "\\echo MARK" for part in parts)
        if done.stdout.splitlines().count("MARK") != ours:
            wrong.append((number, marked, ours, done.stdout))
    assert wrong == []
