"""What of a psql script may run, what is left out and what is refused, before psql sees any of it."""

from __future__ import annotations

import codecs
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pglast import ast
from pglast.visitors import Visitor

from workbench.errors import ScriptError, ScriptFailed, ScriptRefused
from workbench.script.lexer import Lexer, MetaCommand, Sql, Statement, TextAfterCopy
from workbench.sql import read

_SHOWN = 80

# -- meta-commands (psql's manual page, section "Meta-Commands"), by what becomes of them
_HARMLESS = frozenset(
    [
        "a",
        "C",
        "conninfo",
        "copyright",
        "crosstabview",
        "echo",
        "errverbose",
        "encoding",
        "f",
        "g",
        "gx",
        "h",
        "help",
        "H",
        "html",
        "l",
        "l+",
        "list",
        "list+",
        "lo_list",
        "p",
        "print",
        "q",
        "qecho",
        "restrict",
        "sf",
        "sf+",
        "sv",
        "sv+",
        "t",
        "T",
        "timing",
        "unrestrict",
        "warn",
        "x",
        "z",
        "z+",
        "zS",
        "pset",
        "?",
        ";",
        "\\",
    ]
)
_DESCRIBES = re.compile(r"d[a-zA-Z]*[S+x]*$")
_ACTIVE = frozenset(
    [
        "set",
        "unset",
        "if",
        "elif",
        "else",
        "endif",
        "gset",
        "gexec",
        "gdesc",
        "bind",
        "bind_named",
        "parse",
        "close",
        "close_prepared",
        "r",
        "reset",
        "getenv",
    ]
)
_CONDITIONAL = frozenset({"if", "elif", "else", "endif"})
_CONNECTS = frozenset({"c", "connect"})
_REACHES: dict[str, str] = {
    "!": "runs a shell command",
    "cd": "leaves the working folder",
    "copy": "reads or writes a file",
    "e": "starts an editor",
    "edit": "starts an editor",
    "ef": "starts an editor",
    "ev": "starts an editor",
    "g": "writes to a file or a program",
    "gx": "writes to a file or a program",
    "i": "reads another file",
    "include": "reads another file",
    "ir": "reads another file",
    "include_relative": "reads another file",
    "lo_export": "writes a file",
    "lo_import": "reads a file",
    "lo_unlink": "changes large objects from outside of SQL",
    "o": "writes to a file or a program",
    "out": "writes to a file or a program",
    "password": "asks for a password",
    "prompt": "asks for input",
    "s": "writes a file",
    "setenv": "changes the environment of programs",
    "w": "writes a file",
    "watch": "repeats a statement without end",
    "write": "writes a file",
}
_QUERIES = frozenset({"select", "with", "values", "table", "insert", "update", "delete", "merge", "show"})
_OWN_VARIABLES = re.compile(
    r"(AUTOCOMMIT_|COMP_|ECHO|ENCODING$|FETCH_COUNT$|HIDE_|HIST|IGNOREEOF$|LAST_|ON_ERROR|PROMPT|QUIET$|"
    r"SHELL_|SHOW_|SINGLE|VERBOSITY$|WATCH_|DBNAME$|HOST$|PORT$|USER$|SERVER_VERSION|SQLSTATE$|VERSION)"
)

# -- statements whose kind decides what becomes of them; the rest is psql's affair
_DATABASE = "a database command: the content goes into the one scratch database"
_CLUSTER_ROLE = "a role command: the roles that the file names exist without rights of their own"
_SUPERUSER = "needs a superuser, which other people's code is not here"
_NO_TABLESPACE = "tablespaces are folders of the server: the default one is used"
_LEFT_OUT_KINDS: dict[type, str] = {
    ast.CreatedbStmt: _DATABASE,
    ast.DropdbStmt: _DATABASE,
    ast.AlterDatabaseStmt: _DATABASE,
    ast.AlterDatabaseSetStmt: _DATABASE,
    ast.AlterDatabaseRefreshCollStmt: _DATABASE,
    ast.CreateTableSpaceStmt: _NO_TABLESPACE,
    ast.DropTableSpaceStmt: _NO_TABLESPACE,
    ast.AlterTableSpaceOptionsStmt: _NO_TABLESPACE,
    ast.AlterTableMoveAllStmt: _NO_TABLESPACE,
    ast.AlterSystemStmt: _SUPERUSER,
    ast.CreateEventTrigStmt: "event triggers belong to a superuser",
    ast.AlterEventTrigStmt: "event triggers belong to a superuser",
    ast.CreateSubscriptionStmt: "a subscription connects to another server",
    ast.AlterSubscriptionStmt: "a subscription connects to another server",
    ast.DropSubscriptionStmt: "a subscription connects to another server",
    ast.AlterRoleStmt: _CLUSTER_ROLE,
    ast.AlterRoleSetStmt: _CLUSTER_ROLE,
    ast.DropRoleStmt: _CLUSTER_ROLE,
    ast.GrantRoleStmt: _CLUSTER_ROLE,
    ast.LoadStmt: "loads a library into the server",
    ast.CheckPointStmt: _SUPERUSER,
    ast.ImportForeignSchemaStmt: "connects to another server",
}
_LOOKED_AT = re.compile(
    r"""(?:create|drop|alter)\ (?:database|role|user|group|tablespace|event|subscription|extension|language|
        trusted|procedural|schema|policy|server|default|system|(?:or\ replace\ )?(?:function|procedure|
        trusted|procedural|language))\b
      | (?:grant|revoke|set|reset|copy|load|reassign|import|checkpoint|
        comment\ on\ (?:extension|database|role|tablespace|event|subscription|
            language)|security\ label|do)\b""",
    re.VERBOSE,
)
_ALSO = re.compile(r"\b(?:owner|tablespace|authorization)\b", re.IGNORECASE)
_TABLESPACE = re.compile(r'\b(?:using\s+index\s+)?tablespace\s+(?:"(?:[^"]|"")*"|\w+)', re.IGNORECASE)
_TIMEOUTS = frozenset(
    {"statement_timeout", "lock_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"}
)
_ENCODING = re.compile(
    rb"""^[ \t]*(?:set[ \t]+client_encoding[ \t]*(?:=|to)[ \t]*'?|\\encoding[ \t]+|set[ \t]+names[ \t]+')"""
    rb"""([\w-]+)""",
    re.IGNORECASE | re.MULTILINE,
)
_ROLE_IN_BODY = re.compile(
    r"""\bcreate\s+(?:role|user|group)\s+(?!mapping\b)(?:"((?:[^"]|"")+)"|([a-z_][\w$]*))""", re.IGNORECASE
)
_SECRET = re.compile(
    r"""(\bpassword\b(?:\s*=>?)?\s*)((?:[Ee]|[Uu]&)?'(?:[^']|'')*'?)|(\bpassword\s*=\s*)([^\s'"]+)""",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LeftOut:
    """A statement or meta-command of the file that was not run, on one line, without its passwords."""

    line: int
    statement: str
    reason: str


@dataclass(frozen=True)
class ExtensionUse:
    """A CREATE EXTENSION of the file; *schema* is None where the file leaves it to the search path."""

    name: str
    schema: str | None
    line: int


@dataclass(frozen=True)
class Step:
    """One item of the file and what becomes of it.

    *parts* is what psql gets (none where it is left out), *left_out* why it does not get it as it
    stands; *rewritten* is whether its lines are no longer those of the file.
    """

    item: Statement | MetaCommand
    parts: tuple[Sql | MetaCommand, ...] = ()
    left_out: str | None = None
    extension: ExtensionUse | None = None
    rewritten: bool = False

    @property
    def line(self) -> int:
        return self.item.line

    @property
    def runs(self) -> bool:
        return bool(self.parts)

    @property
    def listed(self) -> LeftOut | None:
        """How the report lists it, if it does."""
        return None if self.left_out is None else LeftOut(self.line, brief(self.item.text), self.left_out)

    def without(self, reason: str | None) -> Step:
        """The same step, left out; unlisted where *reason* is None."""
        return replace(self, parts=(), left_out=reason)

    def instead(self, text: str) -> Step:
        """The same step with *text* in the place of its SQL."""
        return replace(self, parts=(Sql(text, self.line),), rewritten=True)


@dataclass(frozen=True)
class Plan:
    """All steps of a script; *roles* are the names it takes for roles, in the order of the file."""

    path: str
    steps: tuple[Step, ...]
    roles: tuple[str, ...]

    @property
    def extensions(self) -> tuple[ExtensionUse, ...]:
        return tuple(step.extension for step in self.steps if step.extension)

    @property
    def statements(self) -> int:
        return sum(step.runs and isinstance(step.item, Statement) for step in self.steps)


@dataclass(frozen=True)
class Rendered:
    """What psql reads; `origin[n - 1]` is the step and the file's line behind its line n."""

    text: str
    origin: tuple[tuple[int, int], ...]

    def step_at(self, line: int) -> int | None:
        """The number of the step behind *line* of the rendered text; None for what we added."""
        number = self.origin[min(line, len(self.origin)) - 1][0]
        return number if number >= 0 else None

    def first_line(self, step: int) -> int:
        """The line of the rendered text on which *step* starts."""
        return next(number for number, (found, _) in enumerate(self.origin, 1) if found == step)


def redact(text: str) -> str:
    """*text* with the literals after PASSWORD, and ``password=`` in connection strings, starred out."""
    return _SECRET.sub(lambda found: (found[1] or found[3]) + ("'***'" if found[1] else "***"), text)


def secrets_in(text: str) -> list[str]:
    """The literals that `redact` hides in *text*."""
    return [(found[2] or found[4]).strip("'") for found in _SECRET.finditer(text)]


def brief(text: str) -> str:
    """The first characters of *text* on one line."""
    line = " ".join(redact(text[:2000]).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


# -- the file


def read_script(path: Path, *, encoding: str | None = None) -> str:
    """The text of the script, with ``\\n`` kept as it stands.

    UTF-8, UTF-16 with a byte order mark, *encoding*, or what the file's own client_encoding says.
    Raises ScriptError where there is no such file, or it holds no text.
    """
    shown = str(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError as exc:
        raise ScriptError("there is no such file", path=shown) from exc
    except IsADirectoryError as exc:
        raise ScriptError("is a directory: name a .sql file in it", path=shown) from exc
    except OSError as exc:
        raise ScriptError(f"cannot be read: {exc.strerror}", path=shown) from exc
    if raw.startswith(b"PGDMP"):
        raise ScriptError("is a custom-format archive: use pg_restore -f out.sql first", path=shown)
    if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and not encoding:
        encoding = "utf-16"
    text = _decoded(raw, shown, encoding)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ScriptError("is no text: it holds a zero byte", path=shown, line=line)
    if not text.strip():
        raise ScriptError("is empty: there is no statement in it", path=shown)
    return text


def _decoded(raw: bytes, shown: str, encoding: str | None) -> str:
    if encoding is None:
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            named = _python_codec(found[1].decode("ascii")) if (found := _ENCODING.search(raw)) else None
            if named is None or named == "utf-8" or b"\0" in raw[:8192]:
                line = raw.count(b"\n", 0, exc.start) + 1
                what = "is no text" if b"\0" in raw[:8192] else f"byte {exc.start + 1} is not UTF-8"
                hint = "" if b"\0" in raw[:8192] else ": name the file's encoding, such as latin1 or cp1252"
                raise ScriptError(what + hint, path=shown, line=line) from exc
            encoding = named
    codec = _python_codec(encoding)
    if codec is None:
        raise ScriptError(
            f"there is no encoding {encoding!r}: name one such as utf-8, latin1 or cp1252", path=shown
        )
    try:
        return raw.decode(codec).removeprefix("\ufeff")
    except UnicodeError as exc:
        start = exc.start if isinstance(exc, UnicodeDecodeError) else 0
        line = raw.count(b"\n", 0, start) + 1
        raise ScriptError(
            f"byte {start + 1} is not {encoding}: name the file's encoding", path=shown, line=line
        ) from exc


def _python_codec(name: str) -> str | None:
    """Python's name of a PostgreSQL or Python encoding (WIN1252, LATIN9, EUC_JP, utf-8)."""
    lower = name.lower().replace("-", "_")
    special = {
        "sql_ascii": "ascii",
        "unicode": "utf-8",
        "latin9": "iso8859-15",
        "win": "cp1251",
        "alt": "cp866",
    }
    special |= {
        "latin6": "iso8859-10",
        "latin7": "iso8859-13",
        "latin8": "iso8859-14",
        "latin10": "iso8859-16",
    }
    candidate = special.get(lower) or re.sub(r"^win(\d+)$", r"cp\1", lower)
    candidate = candidate.replace("iso_8859_", "iso8859-")
    try:
        return codecs.lookup(candidate).name
    except LookupError:
        return None


def digest(path: Path) -> str:
    """The SHA-256 of the file's bytes, in hexadecimal. Raises ScriptError where it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as exc:
        raise ScriptError(f"cannot be read: {exc.strerror}", path=str(path)) from exc


# -- the plan


@dataclass
class _Planner:
    path: str
    roles: dict[str, None] = field(default_factory=dict)
    variables: dict[str, str | None] = field(default_factory=dict)
    conditionals: int = 0
    from_server: bool = False
    ended: bool = False

    def refuse(self, line: int, what: str) -> ScriptRefused:
        return ScriptRefused(what, path=self.path, line=line)

    # meta-commands

    def meta(self, command: MetaCommand) -> MetaCommand | str | None:
        """The command if psql may obey it, None if nothing is lost without it, or why it is left out."""
        name, arguments = command.name, command.arguments.strip()
        shown = brief(command.text)
        if name == "copy":
            raise self.refuse(command.line, rf"{shown} reads or writes a file: write COPY … FROM STDIN")
        if name in ("o", "out") and arguments in ("", "/dev/null"):
            return None
        if name in ("g", "gx") and (not arguments or re.fullmatch(r"\([^()`]*\)", arguments)):
            return None
        if name in _REACHES:
            raise self.refuse(command.line, f"{shown} {_REACHES[name]}: take it out of the file")
        if "`" in re.sub(r"'(?:[^'\\]|\\.|'')*'", "", arguments) or ("`" in arguments and name in _ACTIVE):
            raise self.refuse(
                command.line, f"{shown} runs a shell command in backquotes: take it out of the file"
            )
        if name in _CONNECTS:
            return _DATABASE
        if name in ("q", "quit"):
            return self._quit(command)
        if name in _ACTIVE:
            return self._active(command)
        if name in _HARMLESS or _DESCRIBES.match(name):
            return None
        raise ScriptFailed(f"psql knows no command {shown}", path=self.path, line=command.line)

    def _quit(self, command: MetaCommand) -> MetaCommand | None:
        if self.conditionals:
            return MetaCommand("q", "", command.line)
        self.ended = True
        return None

    def _active(self, command: MetaCommand) -> MetaCommand | None:
        name = command.name
        words = command.arguments.split(maxsplit=1)
        if name == "if":
            self.conditionals += 1
        elif name == "endif":
            self.conditionals = max(0, self.conditionals - 1)
        elif name in ("gset", "getenv"):
            self.from_server = True
        elif name in ("set", "unset"):
            if not words or _OWN_VARIABLES.match(words[0]):
                return None
            value = _variable_value(words[1]) if len(words) > 1 else ""
            self.variables[words[0]] = value if words[0] not in self.variables else None
        return command

    # statements

    def statement(self, statement: Statement) -> Step:
        """The statement with the meta-commands that psql may obey, or left out."""
        self._check_variables(statement)
        parts: list[Sql | MetaCommand] = []
        for part in statement.parts:
            if isinstance(part, Sql):
                parts.append(part)
                continue
            decided = self.meta(part)
            if part.name in ("g", "gx", "crosstabview"):
                parts.append(Sql(";", part.line))
            elif isinstance(decided, MetaCommand):
                parts.append(decided)
        step = Step(statement, tuple(parts))
        self._check_copy(statement)
        for part in parts:
            if isinstance(part, MetaCommand) and part.name == "gexec":
                step = self._executed(step, statement)
        if statement.data is not None and self.conditionals:
            raise self.refuse(
                statement.line, r"COPY … FROM STDIN between \if and \endif cannot be told from SQL"
            )
        words = " ".join(statement.words)
        if _LOOKED_AT.match(words) or _ALSO.search(statement.code):
            return self._looked_at(step, statement, words)
        if (
            statement.parts
            and re.search(r"\bcreate database\b", statement.text, re.IGNORECASE)
            and any(isinstance(part, MetaCommand) and part.name == "gexec" for part in statement.parts)
        ):
            return step.without(_DATABASE)
        return step

    def _check_copy(self, statement: Statement) -> None:
        r"""What psql may take for COPY … FROM STDIN must be seen as such: the lines after it are data."""
        if statement.joined and re.search(r"\bcopy\b", statement.code, re.IGNORECASE):
            raise self.refuse(
                statement.line, r"COPY joined to other statements by \;: give it a statement of its own"
            )
        if statement.words[:1] == ("copy",) and statement.variables:
            raise self.refuse(statement.line, "COPY with psql variables: write their values")
        sending = [part for part in statement.parts if isinstance(part, MetaCommand) and part.sends]
        if any(part.name not in ("g", "gx", "crosstabview") for part in sending) and (
            statement.joined or not statement.words or statement.words[0] not in _QUERIES
        ):
            raise self.refuse(sending[0].line, rf"{sending[0].text} after something else than one query")

    def _executed(self, step: Step, statement: Statement) -> Step:
        r"""``query \gexec`` as a block: a COPY that it ran would read the script's lines as data."""
        if statement.variables:
            raise self.refuse(statement.line, r"\gexec of a query with psql variables: write their values")
        tag = f"$gexec_{secrets.token_hex(8)}$"
        return step.instead(
            read("script/gexec.sql").replace("$gexec$", tag).replace("{query}", statement.text)
        )

    def _check_variables(self, statement: Statement) -> None:
        """psql scans the value of a bare :variable as SQL: it must be closed in itself, and known."""
        bare = [variable for variable in statement.variables if variable.form == "bare"]
        text = statement.text
        for variable in bare:
            if variable.name in self.variables and not self.from_server:
                value = self.variables[variable.name]
                if value is None or not _closed(value):
                    raise self.refuse(
                        variable.line,
                        f":{variable.name} may hold quotes or commands: write :'{variable.name}'",
                    )
                text = re.sub(rf":{re.escape(variable.name)}(?!\w)", lambda _, value=value: value or "", text)  # type: ignore[misc]
            elif variable.name.startswith("LAST_ERROR") or (
                self.from_server and not variable.name[0].isdigit()
            ):
                raise self.refuse(
                    variable.line,
                    f":{variable.name} may come from the server and hold commands: write :'{variable.name}'",
                )
        if bare and re.match(r"[\s(]*copy\b", text, re.IGNORECASE):
            raise self.refuse(bare[0].line, "COPY with psql variables: write their values")

    def _looked_at(self, step: Step, statement: Statement, words: str) -> Step:
        tree = statement.tree
        if tree is None:
            return self._unparsed(step, words)
        self._note_roles(tree, statement)
        if (reason := _LEFT_OUT_KINDS.get(type(tree))) is not None:
            return step.without(reason)
        decide: Callable[[Step, Any], Step] | None = getattr(self, f"_{type(tree).__name__}", None)
        if decide is not None:
            step = decide(step, tree)
        return self._without_tablespace(step, statement) if step.runs else step

    def _unparsed(self, step: Step, words: str) -> Step:
        """Statements with psql variables in them do not parse: their first words must do."""
        if not isinstance(step.item, Statement) or not step.item.variables:
            return step
        if re.match(r"(create|drop|alter|comment on) database\b", words):
            return step.without(_DATABASE)
        if re.match(r"(create|drop|alter) (role|group|user (?!mapping))", words + " "):
            return step.without(_CLUSTER_ROLE)
        return step

    def _note_roles(self, tree: ast.Node, statement: Statement) -> None:
        names = _RoleNames()
        names(tree)
        if isinstance(tree, ast.DoStmt):
            for found in _ROLE_IN_BODY.finditer(statement.text):
                names.found.append(found[1].replace('""', '"') if found[1] else found[2].lower())
        for name in names.found:
            if name and not name.startswith("pg_"):
                self.roles.setdefault(name)

    def _without_tablespace(self, step: Step, statement: Statement) -> Step:
        if len(step.parts) != 1 or not _TABLESPACE.search(statement.code):
            return step
        if isinstance(statement.tree, ast.AlterTableStmt):
            if re.search(r"\bset\s+tablespace\b", statement.code, re.IGNORECASE):
                return step.without(_NO_TABLESPACE)
        elif isinstance(statement.tree, ast.CreateStmt | ast.IndexStmt | ast.CreateTableAsStmt):
            text = step.parts[0].text if isinstance(step.parts[0], Sql) else ""
            for found in reversed(list(_TABLESPACE.finditer(statement.code))):
                blank = re.sub(r"[^\n]", " ", text[found.start() : found.end()])
                text = text[: found.start()] + blank + text[found.end() :]
            return replace(step.instead(text), rewritten=False)
        return step

    def _CreateRoleStmt(self, step: Step, tree: Any) -> Step:  # noqa: N802
        return step.without(None)

    def _CreateExtensionStmt(self, step: Step, tree: Any) -> Step:  # noqa: N802
        if tree.extname == "plpgsql":
            return step.without(None)
        schema = next((option.arg.sval for option in tree.options or () if option.defname == "schema"), None)
        return replace(step, extension=ExtensionUse(tree.extname, schema, step.line))

    def _CreatePLangStmt(self, step: Step, tree: Any) -> Step:  # noqa: N802
        return step.without(None if tree.plname == "plpgsql" else "the language is not on this engine")

    def _CopyStmt(self, step: Step, tree: Any) -> Step:  # noqa: N802
        if tree.is_program:
            raise self.refuse(step.line, f"{brief(step.item.text)} runs a program of the server")
        if tree.filename:
            raise self.refuse(
                step.line,
                f"{brief(step.item.text)} reads or writes a file of the server: write COPY … FROM STDIN",
            )
        return step

    def _VariableSetStmt(self, step: Step, tree: Any) -> Step:  # noqa: N802
        name = (tree.name or "").lower()
        if name in _TIMEOUTS or name == "client_encoding":
            return step.without(None)
        if name in ("default_tablespace", "temp_tablespaces"):
            values = [getattr(argument.val, "sval", "") for argument in tree.args or ()]
            return step.without(_NO_TABLESPACE) if any(values) else step
        if name == "session_authorization":
            value = tree.args[0].val.sval if tree.args else None
            if value is None:
                return step.instead("reset role;")
            self.roles.setdefault(value)
            return step.instead("set role " + _quoted(value) + ";")
        if name == "role" and tree.args and tree.args[0].val.sval != "none":
            self.roles.setdefault(tree.args[0].val.sval)
        return step

    def _CommentStmt(self, step: Step, tree: Any) -> Step:  # noqa: N802
        kind = tree.objtype.name
        reasons = {
            "OBJECT_DATABASE": _DATABASE,
            "OBJECT_ROLE": _CLUSTER_ROLE,
            "OBJECT_TABLESPACE": _NO_TABLESPACE,
        }
        if kind in ("OBJECT_LANGUAGE", "OBJECT_EVENT_TRIGGER", "OBJECT_SUBSCRIPTION"):
            return step.without(_SUPERUSER)
        return step.without(reasons[kind]) if kind in reasons else step

    def _GrantStmt(self, step: Step, tree: Any) -> Step:  # noqa: N802
        kind = tree.objtype.name
        if kind == "OBJECT_DATABASE":
            return step.without(_DATABASE)
        return step.without(_SUPERUSER) if kind in ("OBJECT_TABLESPACE", "OBJECT_PARAMETER_ACL") else step

    def _AlterOwnerStmt(self, step: Step, tree: Any) -> Step:  # noqa: N802
        kind = tree.objectType.name
        if kind == "OBJECT_DATABASE":
            return step.without(_DATABASE)
        superuser_only = (
            "OBJECT_TABLESPACE",
            "OBJECT_EVENT_TRIGGER",
            "OBJECT_SUBSCRIPTION",
            "OBJECT_LANGUAGE",
        )
        return step.without(_SUPERUSER) if kind in superuser_only else step

    def _RenameStmt(self, step: Step, tree: Any) -> Step:  # noqa: N802
        kind = tree.renameType.name
        reasons = {
            "OBJECT_DATABASE": _DATABASE,
            "OBJECT_ROLE": _CLUSTER_ROLE,
            "OBJECT_TABLESPACE": _NO_TABLESPACE,
        }
        return step.without(reasons[kind]) if kind in reasons else step

    def _DropStmt(self, step: Step, tree: Any) -> Step:  # noqa: N802
        kind = tree.removeType.name
        return step.without(_SUPERUSER) if kind in ("OBJECT_EVENT_TRIGGER", "OBJECT_LANGUAGE") else step


class _RoleNames(Visitor):
    """Collects the names that stand where a role is meant."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def visit_RoleSpec(self, ancestors: object, node: ast.RoleSpec) -> None:  # noqa: N802
        if node.rolename:
            self.found.append(node.rolename)

    def visit_CreateRoleStmt(self, ancestors: object, node: ast.CreateRoleStmt) -> None:  # noqa: N802
        self.found.append(str(node.role))

    def visit_GrantRoleStmt(self, ancestors: object, node: ast.GrantRoleStmt) -> None:  # noqa: N802
        self.found.extend(role.priv_name for role in node.granted_roles or ())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _variable_value(arguments: str) -> str | None:
    r"""The value of a ``\set`` where it can be read off, else None."""
    text = arguments.strip()
    if quoted := re.fullmatch(r"'((?:[^'\\]|\\[\\'\"]|'')*)'", text):
        return re.sub(r"\\(.)|''", lambda found: found[1] or "'", quoted[1])
    return None if re.search(r"['\"\\:]", text) else text


def _closed(value: str) -> bool:
    """Whether *value*, put into SQL, cannot open a quote, a comment, a statement or a meta-command."""
    outside = re.sub(r"'[^']*'|\"[^\"]*\"", "", value)
    return "\\" not in value and not re.search(r"['\"$;:]|--|/\*|\*/", outside)


def plan(text: str, path: str) -> Plan:
    """What becomes of each item of the script *text*.

    Raises ScriptRefused where it reaches for the shell, a program or a file, ScriptFailed for what
    psql cannot read, ScriptError where there is no statement in it.
    """
    planner = _Planner(path)
    steps: list[Step] = []
    try:
        lexer = Lexer(text)
        for item in lexer.items():
            if isinstance(item, Statement):
                steps.append(planner.statement(item))
            else:
                decided = planner.meta(item)
                steps.append(
                    Step(item, (decided,))
                    if isinstance(decided, MetaCommand)
                    else Step(item, left_out=decided)
                )
            if planner.ended:
                break
    except TextAfterCopy as exc:
        raise planner.refuse(
            exc.line, "SQL follows COPY … FROM STDIN on its line: give it a line of its own"
        ) from exc
    if lexer.unclosed_comment and not planner.ended:
        raise ScriptFailed(
            "the comment that begins here is never closed", path=path, line=lexer.unclosed_comment
        )
    if not any(isinstance(step.item, Statement) for step in steps):
        raise ScriptError("there is no statement in it", path=path)
    return Plan(path, tuple(steps), tuple(planner.roles))


# -- what psql reads


def render(steps: Sequence[Step], *, with_data: bool = True) -> Rendered:
    r"""The script for psql, locked by ``\restrict`` with a fresh random key around each meta-command.

    Without *with_data*, COPY … FROM STDIN is left out: after one that fails, psql would read its rows as SQL.

    Each statement ends on a line of its own, so that the line psql names tells which one it was.
    """
    lines: list[str] = []
    origin: list[tuple[int, int]] = []

    def emit(texts: Iterable[str], step: int, line: int, *, counts: bool = True) -> None:
        for offset, text in enumerate(texts):
            lines.append(text)
            origin.append((step, line + offset if counts else line))

    key = secrets.token_hex(16)
    emit([rf"\restrict {key}"], -1, 1)
    for number, step in enumerate(steps):
        copies = isinstance(step.item, Statement) and step.item.data is not None
        if copies and not with_data:
            continue
        for part in step.parts:
            if isinstance(part, Sql):
                emit(part.text.split("\n"), number, part.line)
            else:
                fresh = secrets.token_hex(16)
                emit(
                    [rf"\unrestrict {key}", part.text, rf"\restrict {fresh}"], number, part.line, counts=False
                )
                key = fresh
        if step.runs and isinstance(step.item, Statement) and step.item.data is not None:
            data = step.item.data
            rows = data.removesuffix("\n").split("\n") if data else []
            emit([*rows, r"\."], number, step.item.data_line or step.line)
    return Rendered("\n".join(lines) + "\n", tuple(origin))
