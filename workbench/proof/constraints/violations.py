"""The statements that should break one constraint, kept as close to a valid row as can be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg2 import sql

from workbench.catalog.model import Column, qualified, quoted
from workbench.proof.constraints.expressions import Literals, exclusion_elements, read
from workbench.proof.constraints.rows import BaseRow, row_where, stored, table_name
from workbench.proof.constraints.search import Candidates, Condition, RowSearch, Values
from workbench.proof.constraints.targets import Target

_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII)
_NUMERIC_TYPES = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_PERIOD = re.compile(r"FOREIGN KEY \(.*\bPERIOD\b.*\) REFERENCES", re.DOTALL)
_UNUSUAL = (
    "a new value", "new", "NEW", "N", "1500000000", "31999", "6f1c2a9e-3b47-4d15-9c8a-5e0d7b21f463",
    "2077-07-07", "[2077-07-07,2077-07-08)", "[1500000000,1500000001)", "10.77.77.77",
)  # fmt: skip


@dataclass(frozen=True)
class Violation:
    """*statement* breaks the constraint once *before* has run; *machinery* is not worth showing."""

    statement: sql.Composable
    before: tuple[sql.Composable, ...] = ()
    machinery: tuple[sql.Composable, ...] = ()
    deferrable: bool = False  # it is checked at once only if asked


@dataclass(frozen=True)
class Plan:
    """What to try in turn, or why there is nothing to try; *base* is the row to start from."""

    violations: tuple[Violation, ...] = ()
    reason: str = ""
    base: BaseRow | None = None


def plan(search: RowSearch, target: Target, base: BaseRow) -> Plan:
    """The statements that should break *target*, starting from the row *base* of its table."""
    if target.kind == "not null":
        return _not_null(search, target, base)
    if target.kind == "generated identity":
        return _identity(search, target, base)
    if target.kind == "domain not null":
        return Plan((_changed(search, base, {target.columns[0]: None}),), base=base)
    if target.kind == "domain check":
        return _check(
            search, target, base, search.of_value(target.expression, target.columns[0], target.constraint)
        )
    if target.kind == "check":
        return _check(search, target, base, search.condition(target.expression, target.constraint))
    if target.kind == "foreign key":
        return _foreign_key(search, target, base)
    return _key(search, target, base)


# one row, changed or copied


def value(column: Column, text: str | None) -> sql.Composable:
    """The literal *text*, without quotes where it is a number."""
    if text is not None and column.base_type in _NUMERIC_TYPES and _NUMBER.match(text):
        return sql.SQL(text)
    return sql.Literal(text)


def _at(search: RowSearch, base: BaseRow) -> sql.Composable:
    """The condition that finds the row *base*: by its primary key where that is plain, else by its place."""
    table = search.table
    key = table.primary_key
    columns = [search.columns[name] for name in key.columns] if key else []
    if columns and all("." not in column.base_type and not column.generated for column in columns):
        return sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier(column.name), value(column, base.values[column.name]))
            for column in columns
        )
    return sql.SQL("tableoid = {} and ctid = {}").format(sql.Literal(base.relation), sql.Literal(base.place))


def _update(search: RowSearch, base: BaseRow, changes: Values) -> sql.Composable:
    return sql.SQL("update {} set {} where {}").format(
        table_name(search.table),
        sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), value(search.columns[name], text))
            for name, text in changes.items()
        ),
        _at(search, base),
    )


def _copy(search: RowSearch, base: BaseRow, changes: Values) -> sql.Composable:
    """An insert of the row *base* once more, with *changes*; no default is evaluated, no sequence moves."""
    names = stored(search.table)
    identity = any(column.identity for column in search.table.columns)
    return sql.SQL("insert into {} ({}){} select {} from {} where {}").format(
        table_name(search.table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(" overriding system value" if identity else ""),
        sql.SQL(", ").join(
            value(search.columns[name], changes[name]) if name in changes else sql.Identifier(name)
            for name in names
        ),
        table_name(search.table),
        _at(search, base),
    )


def _insert(search: RowSearch, base: BaseRow, changes: Values) -> sql.Composable:
    """An insert of the values of *base* with *changes*."""
    values = {name: changes.get(name, base.values[name]) for name in stored(search.table)}
    return sql.SQL("insert into {} ({}) overriding system value values ({})").format(
        table_name(search.table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(value(search.columns[name], text) for name, text in values.items()),
    )


def _changed(search: RowSearch, base: BaseRow, changes: Values) -> Violation:
    """The row with *changes*: updated, or where an update may not set a column, inserted once more."""
    real = {name: text for name, text in changes.items() if text != base.values.get(name)} or changes
    if any(search.columns[name].identity == "always" for name in real):
        return Violation(_copy(search, base, real))
    return Violation(_update(search, base, real))


def _related(search: RowSearch, names: Iterable[str], without: str = "") -> list[Condition]:
    """The checks on the columns *names* that must go on holding while another is broken."""
    touched = set(names)
    return [c for c in search.checks if c.name != without and touched & set(search.settable(c.columns))]


# by kind


def _not_null(search: RowSearch, target: Target, base: BaseRow) -> Plan:
    name = target.columns[0]
    if not search.columns[name].generated:
        return Plan((_changed(search, base, {name: None}),), base=base)
    column = search.condition(search.columns[name].default or "null")
    null = Condition(sql.SQL("({} is null)").format(column.query), column.columns, column.literals)
    free = {one: search.candidates(search.columns[one], [column]) for one in column.columns}
    for values, kept in ((free, _related(search, free)), (_with_null(free), [])):
        found = search.find(base.values, values, true=[null], kept=kept)
        if found:
            return Plan(tuple(_changed(search, base, one) for one in found), base=base)
    return Plan(reason="no input was found for which the generated column is null", base=base)


def _identity(search: RowSearch, target: Target, base: BaseRow) -> Plan:
    name = target.columns[0]
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        table_name(search.table), sql.Identifier(name), value(search.columns[name], base.values[name])
    )
    return Plan((Violation(statement),), base=base)


def _check(search: RowSearch, target: Target, base: BaseRow, broken: Condition) -> Plan:
    """Changes of one column first, then of all, that make the condition false and leave the others alone."""
    names = search.settable(broken.columns)
    if not names:
        return Plan(reason="it mentions no column that could be set", base=base)
    related = _related(search, names, without=target.constraint)
    free = {one: search.candidates(search.columns[one], [broken, *related]) for one in names}
    before = search.tried
    neighbours, around = _with_neighbours(search, base, free, related)
    searched = [
        *((part, related) for part in _one_then_all(free)),
        (neighbours, [one for one in around if one.name != target.constraint]),
        *((part, []) for part in _one_then_all(_with_null(free))),
    ]
    for part, kept in searched:
        found = search.find(base.values, part, false=[broken], kept=kept)
        if found:
            return Plan(tuple(_changed(search, base, one) for one in found), base=base)
    return Plan(
        reason=f"none of {search.tried - before:,} rows tried makes it false: perhaps nothing can violate it",
        base=base,
    )


def _with_null(free: Candidates) -> Candidates:
    """The candidates, and null where the column forbids it: that will have to be lifted."""
    return {name: values if None in values else [*values, None] for name, values in free.items()}


def _one_then_all(free: Candidates) -> Iterator[Candidates]:
    """Each column alone, so that as little as can be changes, then all together."""
    if len(free) > 1:
        yield from ({name: values} for name, values in free.items())
    yield free


def _foreign_key(search: RowSearch, target: Target, base: BaseRow) -> Plan:
    """A key that the referenced table does not have, and the triggers of this key alone to notice it."""
    key = target.declared
    if key is None or key.references is None:
        raise ValueError(f"{target.constraint} has no referenced table")
    pairs = list(zip(key.columns, key.referenced_columns, strict=True))
    if _PERIOD.search(key.definition):
        pairs = pairs[:-1]
    names = search.settable(key.columns)
    missing = _no_such_key(search, key.references, pairs, key.columns)
    related = _related(search, names)
    free = {one: search.candidates(search.columns[one], related, _unusual(search, one)) for one in names}
    usable = search.settable(here for here, _ in pairs)
    searched = [
        *(({one: values}, related) for one, values in free.items() if one in usable),
        (free, related),
        _with_neighbours(search, base, free, related),
        (free, []),
    ]
    found = next(filter(None, (search.find(base.values, f, true=[missing], kept=k) for f, k in searched)), [])
    if not found:
        return Plan(reason=f"every key tried is one of {qualified(*key.references)}", base=base)
    machinery = _awake(search, target)
    statements = [_changed(search, base, one).statement for one in found]
    fresh = {**_fresh_elsewhere(search, target, base), **found[0]}
    statements.append(_copy(search, base, fresh))  # a new row, which no other row refers to
    return Plan(
        tuple(
            Violation(statement, machinery=machinery, deferrable=key.deferrable) for statement in statements
        ),
        base=base,
    )


def _with_neighbours(
    search: RowSearch, base: BaseRow, free: Candidates, related: Sequence[Condition]
) -> tuple[Candidates, list[Condition]]:
    """The candidates together with those of the columns that checks tie to them, and all checks on both."""
    names = search.settable(name for c in related for name in c.columns)
    around = _related(search, [*free, *names])
    others = {
        one: search.candidates(search.columns[one], around, [base.values[one]])
        for one in names
        if one not in free
    }
    return {**{one: values[:8] for one, values in free.items()}, **others}, around


def _no_such_key(
    search: RowSearch, references: tuple[str, str], pairs: Sequence[tuple[str, str]], columns: Sequence[str]
) -> Condition:
    """No row of the referenced table has the key, nor the row itself where its table references itself."""

    def same(of: Callable[[str], sql.Composable]) -> sql.Composable:
        equal = (sql.SQL("{} = {}").format(of(there), search.reference(here)) for here, there in pairs)
        return sql.SQL(" and ").join(equal)

    query = sql.SQL("(not exists (select from {} as workbench_referenced where {}) and {})").format(
        sql.Identifier(*references),
        same(lambda name: sql.Identifier("workbench_referenced", name)),
        sql.SQL(" and ").join(sql.SQL("{} is not null").format(search.reference(one)) for one in columns),
    )
    if references != (search.table.schema, search.table.name):
        return Condition(query, tuple(columns), Literals())
    query = sql.SQL("({} and ({}) is not true)").format(query, same(search.reference))
    return Condition(query, (*columns, *(there for _, there in pairs)), Literals())


def _unusual(search: RowSearch, name: str) -> list[str]:
    """Values of the column's type that real rows hardly have."""
    return search.valid.of(search.setting.literal_type(search.columns[name]), _UNUSUAL)


def _awake(search: RowSearch, target: Target) -> tuple[sql.Composable, ...]:
    """What lets the server's own triggers of this constraint fire: the session is no replica any more.

    User triggers sleep meanwhile. A trigger of the constraint that was disabled stays so, and one that
    fires on replicas alone does not fire, as for everybody. No right of a superuser is needed.
    """
    key = (search.table.schema, search.table.name, target.constraint)
    if not search.setting.constraint_triggers.get(key):
        return ()
    tables = (search.table, *search.setting.partitions(search.table))
    return (
        *(
            sql.SQL("alter table {} disable trigger user").format(sql.Identifier(each.schema, each.name))
            for each in tables
        ),
        sql.SQL("set local session_replication_role = origin"),
    )


def _key(search: RowSearch, target: Target, base: BaseRow) -> Plan:
    """The row once more: for a primary key, a unique or an exclusion constraint, or a unique index."""
    if target.index is None:
        return Plan(reason="its index was not found", base=base)
    elements = _elements(target)
    differing = [column for column, operator in elements if operator.endswith("<>") and column]
    if len(differing) < sum(operator.endswith("<>") for _, operator in elements):
        return Plan(reason="an expression in it must differ, and expressions cannot be set", base=base)
    collides = _collides(search, target, elements)
    chosen, before, reason = _colliding(search, base, collides)
    if chosen is None:
        return Plan(reason=reason, base=base)
    other: Values = {}
    for name in differing:
        found = _fresh(search, chosen, name)
        if found is None:
            return Plan(reason=f"no second value was found for {quoted(name)}", base=base)
        other[name] = found
    fresh = {**_fresh_elsewhere(search, target, chosen), **other}
    deferrable = target.declared.deferrable if target.declared else False
    again = _insert if before else _copy  # a row without a primary key is elsewhere once it was updated
    return Plan(
        tuple(
            Violation(again(search, chosen, one), before, _awake(search, target), deferrable)
            for one in ([fresh, other] if fresh != other else [other])
        ),
        base=chosen,
    )


def _elements(target: Target) -> list[tuple[str, str]]:
    """(column or "", operator) of each element of an exclusion constraint; none for the other kinds."""
    return exclusion_elements(target.definition) if target.kind == "exclusion" else []


def _collides(search: RowSearch, target: Target, elements: Sequence[tuple[str, str]]) -> list[Condition]:
    """What must be true of a row so that its copy collides with it."""
    index = target.index
    keys = index.keys if index else ()
    conditions = [search.condition(target.expression)] if target.expression else []
    if index and index.nulls_not_distinct:
        return conditions
    conditions += [search.condition(f"({key}) is not null") for key in keys]
    for key, (_, operator) in zip(keys, elements, strict=False):
        if not operator.endswith("<>"):
            shown = f"operator({operator})"
            conditions.append(search.condition(f"({key}) {shown} ({key})"))
    if not elements and target.declared and "WITHOUT OVERLAPS" in target.definition:
        conditions.append(search.condition(f"not pg_catalog.isempty({keys[-1]})"))
    return conditions


def _colliding(
    search: RowSearch, base: BaseRow, collides: Sequence[Condition]
) -> tuple[BaseRow | None, tuple[sql.Composable, ...], str]:
    """A row with the conditions: *base*, another one, or *base* after the statements that go with it."""
    if not collides or search.find(base.values, {}, true=collides, limit=1):
        return base, (), ""
    if base.origin == "existing":
        found = row_where(search.conn, search.table, sql.SQL(" and ").join(c.query for c in collides))
        if found:
            return found, (), ""
    names = search.settable(name for c in collides for name in c.columns)
    related = _related(search, names)
    free = {
        one: search.candidates(search.columns[one], [*collides, *related], [base.values[one]])
        for one in names
    }
    rows = search.find(base.values, free, true=collides, kept=related, limit=1)
    if not rows:
        return None, (), "no row was found, and none could be made, whose copy would collide with it"
    changes = {name: text for name, text in rows[0].items() if text != base.values[name]}
    changed = BaseRow(base.origin, base.relation, base.place, {**base.values, **changes})
    return changed, (_update(search, base, changes),), ""


def _fresh(search: RowSearch, base: BaseRow, name: str) -> str | None:
    """Another value for one column of the row that its checks let pass."""
    related = _related(search, [name])
    column = search.columns[name]
    values = [one for one in search.candidates(column, related, _unusual(search, name)) if one is not None]
    different: list[str | None] = [one for one in values if one != base.values.get(name)]
    rows = search.find(base.values, {name: different}, kept=related, limit=1) if different else []
    return rows[0][name] if rows else None


def _fresh_elsewhere(search: RowSearch, target: Target, base: BaseRow) -> Values:
    """New values for the other keys of the table, so that only *target* has something to refuse."""
    index = target.index
    touched = set(read(" and ".join([*(index.keys if index else ()), target.expression or "true"]))[0])
    touched |= set(target.columns)
    fresh: Values = {}
    for other in search.table.indexes:
        if not (other.unique or other.constraint) or (index and other.name == index.name):
            continue
        names = [name for key in other.keys for name in read(key)[0]]
        free = [name for name in names if name not in touched and name in stored(search.table)]
        if not free or set(free) & set(fresh):
            continue
        found = _fresh(search, base, free[-1])
        if found is not None:
            fresh[free[-1]] = found
    return fresh
