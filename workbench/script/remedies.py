"""What to do about a statement that fails for what this engine lacks or the loader may not do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pglast import ast
from pglast.stream import RawStream
from psycopg2 import sql

from workbench.engines.postgres import Connection
from workbench.script.lexer import Statement
from workbench.script.psql import PsqlError
from workbench.script.roles import LoaderRoles
from workbench.script.sanitize import LeftOut, Plan, Step, redact
from workbench.script.stand_ins import Extensions
from workbench.sql import fetch, read

# SQLSTATEs: PostgreSQL's manual, appendix A; WB001 is what our stand-in functions raise.
_UNDEFINED = frozenset({"42704", "42883", "42P01", "3F000"})
_NO_PRIVILEGE = "42501"
_STAND_IN_CALLED = "WB001"
_FOREIGN_KEY_VIOLATED = "23503"
_NO_SUCH_SETTING = frozenset({"42704", "22023"})
_NAMED = re.compile(
    r"(?P<kind>type|function|procedure|role|language|relation|schema|server|foreign-data wrapper|"
    r"operator class|text search configuration) \"?(?P<name>.+?)\"?(?:\((?P<arguments>.*)\))? does not exist"
)
_CREATES = re.compile(
    r"create\s+(?:(?:or|replace|global|local|temp|temporary|unlogged|materialized|recursive|foreign|table|view|type|"
    r"domain|function|procedure|aggregate|sequence|schema|server|data|wrapper|operator|class|family|text|search|"
    r"configuration|dictionary|collation|trusted|procedural|language|access|method|if|not|exists)\s+)+"
    r'(?:(?:"(?:[^"]|"")+"|[\w$]+)\.)?',
)
_LANGUAGE = re.compile(r'(?:permission denied for )?language "?(?P<name>[^"]+?)"?(?: does not exist)?$')
_RUN_AT_ONCE = (ast.SelectStmt, ast.CallStmt, ast.DoStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt)
# What functions of missing extensions most likely return, by name (PostGIS's own naming).
_RESULTS = (
    (
        re.compile(r"_?st_(is|within|contains|intersects|covers|coveredby|d?within|touches|equals|overlaps)"),
        "boolean",
    ),
    (re.compile(r"st_(area|length|distance|perimeter|[xyzm]|azimuth)(?![a-z])"), "double precision"),
    (re.compile(r"st_(srid|npoints|numpoints|numgeometries)"), "integer"),
    (re.compile(r"st_as(?!binary)"), "text"),
    (re.compile(r"st_"), "geometry"),
)


@dataclass
class Remedies:
    """The script's steps as they change from one attempt to the next, and what is declared beforehand."""

    plan: Plan
    extensions: Extensions
    roles: LoaderRoles
    steps: list[Step] = field(init=False)
    types: dict[tuple[str, str], None] = field(default_factory=dict)
    functions: dict[tuple[str, str, str, str], None] = field(default_factory=dict)
    wrappers: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.steps = list(self.plan.steps)
        self._hold_schemas()

    def left_out(self) -> tuple[LeftOut, ...]:
        """What the report lists, in the order of the file."""
        return tuple(listed for step in self.steps if (listed := step.listed))

    def statements(self) -> int:
        """The number of statements that run."""
        return sum(step.runs and isinstance(step.item, Statement) for step in self.steps)

    # -- before the script

    def declare(self, superuser: Connection, loader: Connection) -> None:
        """Make the stand-ins found so far in the still empty database; what the loader can make, it makes."""
        for schema in self._held_schemas() - {"public"}:
            superuser.execute(
                sql.SQL("create schema if not exists {} authorization {}").format(
                    sql.Identifier(schema), sql.Identifier(self.roles.loader)
                )
            )
        for schema, name in self.types:
            superuser.execute(_type_definition(schema, name))
        for wrapper in self.wrappers:
            superuser.execute(
                sql.SQL(read("script/stand_ins/foreign_data_wrapper.sql")).format(
                    wrapper=sql.Identifier(wrapper), owner=sql.Identifier(self.roles.loader)
                )
            )
        for schema, name, arguments, result in list(self.functions):
            _declare_function(loader, schema, name, arguments, result)

    def _held_schemas(self) -> set[str]:
        """The schemas that must exist before the script runs."""
        made = {use.schema or "public" for use in self.extensions.beforehand}
        return made | {schema for schema, _ in self.types} | {schema for schema, *_ in self.functions}

    def _hold_schemas(self) -> None:
        """Leave out what would make a held schema a second time, or drop it with its stand-ins."""
        held = self._held_schemas()
        for number, step in enumerate(self.steps):
            if not held or not step.runs or not isinstance(step.item, Statement):
                continue
            if step.item.words[:2] == ("create", "schema"):
                tree = step.item.tree
                name = getattr(tree, "schemaname", None) or getattr(
                    getattr(tree, "authrole", None), "rolename", None
                )
                if name in held and not getattr(tree, "schemaElts", None):
                    self.steps[number] = step.without(None)
            elif step.item.words[:2] == ("drop", "schema"):
                names = {
                    part[0].sval for part in getattr(step.item.tree, "objects", ()) if isinstance(part, tuple)
                }
                names |= {
                    part.sval
                    for part in getattr(step.item.tree, "objects", ())
                    if isinstance(part, ast.String)
                }
                if names & held:
                    self.steps[number] = step.without("the schema holds what stands in for extensions")

    # -- after a failure

    def apply(self, number: int, error: PsqlError, *, with_rows: bool) -> bool:
        """Whether something can be done about the *error* of step *number*; if so, it is done.

        Without its rows (*with_rows* false) a foreign key that is broken says nothing about the file.
        """
        step = self.steps[number]
        if not isinstance(step.item, Statement) or not step.runs:
            return False
        found = _NAMED.search(error.message)
        named = found["name"] if found else ""
        if error.sqlstate == "42704" and found and found["kind"] == "role":
            return self._need_role(named)
        if (language := _LANGUAGE.search(error.message)) and isinstance(
            step.item.tree, ast.CreateFunctionStmt
        ):
            return self._without_language(number, language["name"])
        if error.sqlstate == _NO_PRIVILEGE:
            return self._leave_out(number, f"needs rights that the loader does not have: {error.message}")
        if error.sqlstate == _STAND_IN_CALLED:
            return self._leave_out(number, error.message)
        if isinstance(step.item.tree, ast.VariableSetStmt) and error.sqlstate in _NO_SUCH_SETTING:
            return self._leave_out(number, f"this engine does not take the setting: {error.message}")
        if error.sqlstate == _FOREIGN_KEY_VIOLATED and with_rows:
            return self._not_valid(number, error)
        if error.sqlstate in _UNDEFINED and not self._defined(named):
            if self.extensions.missing:
                return self._stand_in(number, error, found) or self._leave_out(
                    number, self._missing(error.message)
                )
            if named and self._left_out_mentions(named):
                return self._leave_out(number, f"needs what was left out: {error.message}")
        return False

    def _leave_out(self, number: int, reason: str) -> bool:
        self.steps[number] = self.steps[number].without(redact(" ".join(reason.split())))
        return True

    def _missing(self, message: str) -> str:
        names = ", ".join(self.extensions.missing)
        return f"needs an extension that this engine lacks ({names}): {message}"

    def _need_role(self, name: str) -> bool:
        before = len(self.roles.named)
        self.roles.need([name])
        return len(self.roles.named) > before

    def _defined(self, name: str) -> bool:
        """Whether a statement of the file that runs defines *name* (the error then is the file's own)."""
        bare = name.removesuffix("[]").split(".")[-1].split("(")[0]
        if not bare:
            return False
        creates = re.compile(_CREATES.pattern + rf'"?{re.escape(bare)}(?![\w$])', re.IGNORECASE)
        return any(step.runs and creates.match(step.item.text) for step in self.steps)

    def _left_out_mentions(self, name: str) -> bool:
        bare = re.compile(rf"(?<!\w){re.escape(name.split('.')[-1].split('(')[0])}(?!\w)", re.IGNORECASE)
        return any(step.left_out and not step.runs and bare.search(step.item.text) for step in self.steps)

    def _stand_in(self, number: int, error: PsqlError, found: re.Match[str] | None) -> bool:
        """Declare the type, function or wrapper that *error* misses, where that can help."""
        if found is None:
            return False
        schema, _, name = found["name"].removesuffix("[]").rpartition(".")
        schema = schema or self._schema()
        tree = getattr(self.steps[number].item, "tree", None)
        if found["kind"] == "type" and (schema, name) not in self.types:
            self.types[(schema, name)] = None
            self.extensions.declared.setdefault(f"type {name}")
        elif found["kind"] == "foreign-data wrapper" and name not in self.wrappers:
            self.wrappers[name] = None
            self.extensions.declared.setdefault(f"foreign-data wrapper {name}")
        elif found["kind"] == "function" and tree is not None and not isinstance(tree, _RUN_AT_ONCE):
            result = "trigger" if isinstance(tree, ast.CreateTrigStmt) else _likely_result(name)
            declared = (schema, name, found["arguments"] or "", result)
            if declared in self.functions:
                return False
            self.functions[declared] = None
            self.extensions.declared.setdefault(f"function {name}")
        else:
            return False
        self._hold_schemas()
        return True

    def _schema(self) -> str:
        """Where the missing extension would have put its objects."""
        lines = {line for lines in self.extensions.missing.values() for line in lines}
        uses = [use for use in self.plan.extensions if use.line in lines and use.schema]
        return uses[0].schema or "public" if uses else "public"

    def _without_language(self, number: int, language: str) -> bool:
        """Keep the function's signature; its body says that the language is not here."""
        step = self.steps[number]
        if step.left_out is not None or not isinstance(step.item, Statement):
            return self._leave_out(number, f"the language {language} is not on this engine")
        text = _body_replaced(step.item, language)
        reason = (
            f"the language {language} is not open to the script: declared with a body that raises an error"
        )
        self.steps[number] = replace(step.instead(text), left_out=reason)
        return True

    def _not_valid(self, number: int, error: PsqlError) -> bool:
        """Keep a foreign key that rows of the file break as NOT VALID, so that the structure is whole."""
        step = self.steps[number]
        tree = getattr(step.item, "tree", None)
        if not isinstance(tree, ast.AlterTableStmt) or step.left_out is not None:
            return False
        commands = tree.cmds or ()
        if (
            len(commands) != 1
            or commands[0].subtype.name != "AT_AddConstraint"
            or not isinstance(step.item, Statement)
        ):
            return False
        reason = f"added as NOT VALID, since rows of the file break it: {error.detail or error.message}"
        self.steps[number] = Step(
            step.item, step.instead(step.item.text + "\nnot valid;").parts, left_out=reason
        )
        return True


def _likely_result(name: str) -> str:
    return next((result for pattern, result in _RESULTS if pattern.match(name.lower())), "text")


def _type_definition(schema: str, name: str) -> sql.Composable:
    parts = {"type": "", "input": "_in", "output": "_out", "receive": "_recv", "send": "_send"}
    parts |= {"modifier_in": "_typmod_in", "modifier_out": "_typmod_out"}
    return sql.SQL(read("script/stand_ins/type.sql")).format(
        **{part: sql.Identifier(schema, name + suffix) for part, suffix in parts.items()}
    )


def _declare_function(conn: Connection, schema: str, name: str, arguments: str, result: str) -> None:
    """Declare the function; nothing where one of its types is not there (the statement is then left out)."""
    wanted = [*_split_types(arguments), result]
    wanted = [
        f"{schema}.geometry" if each == "geometry" else "text" if each == "unknown" else each
        for each in wanted
    ]
    types = [row["name"] for row in fetch(conn, "script/regtypes.sql", {"names": wanted})]
    if not all(types):
        return
    *inputs, output = types
    message = f"{name} belongs to an extension that this engine lacks"
    conn.execute(
        sql.SQL(read("script/stand_ins/function.sql")).format(
            function=sql.Identifier(schema, name),
            arguments=sql.SQL(", ").join(sql.SQL(each) for each in inputs),
            result=sql.SQL(output),
            message=sql.Literal(message),
        )
    )


def _split_types(arguments: str) -> Sequence[str]:
    """``double precision, numeric(3,2)`` as a list of two."""
    return [each.strip() for each in re.split(r",(?![^(]*\))", arguments) if each.strip()]


def _body_replaced(statement: Statement, language: str) -> str:
    """CREATE FUNCTION with a plpgsql body that raises an error."""
    tree = statement.tree
    assert isinstance(tree, ast.CreateFunctionStmt)
    body = (
        "begin raise exception using errcode = 'WB001', message = "
        + "'the function needs the language " + language.replace("'", "''") + "'; end"
    )  # fmt: skip
    kept = [
        option
        for option in tree.options or ()
        if option.defname not in ("language", "as", "transform", "support")
    ]
    tree.options = (
        *kept,
        ast.DefElem(defname="language", arg=ast.String("plpgsql")),
        ast.DefElem(defname="as", arg=(ast.String(body),)),
    )
    return str(RawStream()(tree)) + ";"
