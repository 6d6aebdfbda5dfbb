"""The intent file: what it says, what is refused with its line, and what a role may do by it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from workbench.areas.security.intent.model import Intent, Label, RoleIntent, Rule
from workbench.areas.security.intent.permissions import permission
from workbench.areas.security.intent.problems import IntentError
from workbench.areas.security.intent.reading import read_intent
from workbench.areas.security.intent.writing import write_intent
from workbench.catalog.model import Catalog, Column, Constraint, Table
from workbench.errors import BadInput

ODD = 'My "Table"\n'
USERS, ORDERS, LINES, PRODUCTS = (("s", name) for name in ("users", "orders", "lines", "products"))


def column(name: str, type_: str = "bigint", **facts: object) -> Column:
    return Column(name, 1, type_, type_, **{"nullable": False, **facts})  # type: ignore[arg-type]


def table(name: str, columns: list[Column], *constraints: Constraint, **facts: object) -> Table:
    key = Constraint(f"{name}_pkey", "primary key", (columns[0].name,), "")
    return Table(
        "s",
        name,
        facts.pop("kind", "table"),  # type: ignore[arg-type]
        "owner",
        tuple(columns),
        (key, *constraints) if facts.pop("keyed", True) else constraints,
        **facts,  # type: ignore[arg-type]
    )


def reference(name: str, mine: str, parent: str, theirs: str) -> Constraint:
    return Constraint(
        name, "foreign key", (mine,), "", references=("s", parent), referenced_columns=(theirs,)
    )


CATALOG = Catalog(
    "db",
    "PostgreSQL 18",
    180000,
    (
        table(
            "users",
            [column("id"), column("email", "text"), column("note", "text", nullable=True)],
        ),
        table(
            "orders",
            [
                column("id", identity="always"),
                column("user_id"),
                column("status", "text"),
                column("total", "numeric", default="1", generated="stored"),
            ],
            reference("fk", "user_id", "users", "id"),
        ),
        table("lines", [column("id"), column("order_id")], reference("fk", "order_id", "orders", "id")),
        table("products", [column("id"), column("name", "text")]),
        table("Odd", [column("Id"), column("a.b", "text")]),
        table(ODD, [column("id")]),
        table("keyless", [column("a"), column("phone", "text")], keyed=False),
        table("parts", [column("id")], kind="partitioned table"),
        table("parts_1", [column("id")], partition_of=("s", "parts")),
        table("seen", [column("id")], kind="view", keyed=False),
        table("far", [column("id")], kind="foreign table", keyed=False),
    ),
)
GOOD = """\
intent: shop
identity: {is: s.users.id, type: bigint, token_lifetime: 10 minutes}
roles:
  boss: {kind: owner}
  trail: {kind: audit owner}
  reader:
  writer: {inherits: [reader]}
  app: {kind: login, identified: token}
owners:
  s.users: id
  s.orders: user_id
  s.lines: {columns: [order_id], of: s.orders}
labels:
  personal:
    columns:
      s.users: [email]
    seen_by: [app, writer]
rules:
  - {role: reader, may: select, on: [s.users, s.products]}
  - {role: writer, may: [insert, update], on: s.users}
  - {role: app, may: [select, delete], rows: own, on: [s.orders, s.lines]}
  - {role: app, may: [insert, update], rows: own, on: s.orders, where: status = 'new', columns: [user_id, status]}
never:
  - {role: reader, may: [insert, delete], on: all}
audit: {tables: all, by_row: s.keyless}
"""  # noqa: E501 - a rule a line, for the lines' sake


def good(**replaced: str) -> Intent:
    return read_intent(GOOD, CATALOG)


def problems(old: str, new: str) -> list[tuple[int, str]]:
    assert old in GOOD
    with pytest.raises(IntentError) as raised:
        read_intent(GOOD.replace(old, new, 1), CATALOG)
    return [(each.line, each.text) for each in raised.value.problems]


def test_every_part_of_the_file_is_read():
    """Names, defaults, all, a name alone for a list, and the columns that an owner pairs with."""
    intent = good()

    assert [role.kind for role in intent.roles] == ["owner", "audit owner", "group", "group", "login"]
    assert intent.identity is not None and intent.identity.token_lifetime_s == 600
    assert intent.owners["s", "lines"].parent_columns == ("id",)
    assert intent.audit is not None and ("s", "parts") in intent.audit.tables
    assert intent.audit.by_row == (("s", "keyless"),)
    assert not {("s", "parts_1"), ("s", "seen"), ("s", "far")} & set(intent.audit.tables)
    assert intent.rules[0].line == 19


def test_what_is_written_is_read_equal():
    """write_intent and read_intent are each other's opposite, odd names and conditions included."""
    odd = GOOD.replace("s.products]", '\'s."Odd"\', "s.\\"My \\"\\"Table\\"\\"\\n\\""]')
    for text in (GOOD, odd):
        intent = read_intent(text, CATALOG)
        assert read_intent(write_intent(intent), CATALOG) == intent


def test_an_inherited_rule_reaches_what_the_asking_role_sees():
    """The reader does not see the label; the writer, who inherits its rule, does."""
    intent = good()
    reader = permission(intent, CATALOG, "reader", USERS, "select")
    writer = permission(intent, CATALOG, "writer", USERS, "select")

    assert reader is not None and reader.columns == ("id", "note")
    assert writer is not None and writer.columns == ("id", "email", "note")


def test_what_no_rule_says_is_refused():
    """None for another table, another operation, the owner, and a role that is not in the intent."""
    intent = good()

    assert permission(intent, CATALOG, "reader", ORDERS, "select") is None
    assert permission(intent, CATALOG, "reader", USERS, "update") is None
    assert permission(intent, CATALOG, "boss", USERS, "select") is None
    assert permission(intent, CATALOG, "nobody", USERS, "select") is None


def test_a_write_reaches_no_column_that_the_server_alone_writes():
    """Generated and identity always columns are left out of insert and update, not of select."""
    text = GOOD.replace(", where: status = 'new', columns: [user_id, status]", "")
    intent = read_intent(text, CATALOG)
    insert = permission(intent, CATALOG, "app", ORDERS, "insert")
    select = permission(intent, CATALOG, "app", ORDERS, "select")
    delete = permission(intent, CATALOG, "app", ORDERS, "delete")

    assert insert is not None and insert.grants == (("own", None, ("user_id", "status")),)
    assert select is not None and select.columns == ("id", "user_id", "status", "total")
    assert delete is not None and delete.columns == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("type: bigint", "typ: bigint", 2, "typ is no key of an intent in identity: did you mean type?"),
        ("10 minutes", "10 moons", 2, "a token cannot live 10 moons"),
        ("is: s.users.id, type: bigint", "is: s.users.note", 2, "is no key of its table"),
        ("type: bigint", "type: uuid", 2, "is of type bigint, not uuid"),
        ("kind: owner}", "kind: king}", 4, "roles.boss.kind: king is not known here: write group"),
        ("{kind: owner}", "{kind: group}", 1, "no role is of kind owner"),
        ("  reader:\n", "  reader: {inherits: writer}\n", 6, "reader → writer → reader inherit in a circle"),
        (
            "  reader:\n",
            "  reader: {inherits: boss}\n",
            6,
            "inherits from boss, which may do anything with what it owns",
        ),
        ("inherits: [reader]", "inherits: [raeder]", 7, "there is no role raeder"),
        ("  reader:\n", "  reader:\n  reader:\n", 7, "reader is said twice, first on line 6"),
        ("  reader:\n", "  reader:\n  pg_x:\n", 7, "is a name that PostgreSQL keeps for itself"),
        ("  reader:\n", "  reader:\n  public:\n", 7, "is a name that PostgreSQL keeps for itself"),
        ("  reader:\n", f"  reader:\n  {'ä' * 32}:\n", 7, "has 64 bytes: PostgreSQL keeps 63"),
        ("s.orders: user_id", "s.orders: status", 11, "is of type text, and an identity of type bigint"),
        ("columns: [order_id], of", "columns: [id], of", 12, "names no key of s.orders"),
        (
            "s.orders: user_id",
            "s.orders: {columns: [id], of: s.lines, parent_columns: [id]}",
            11,
            "in a circle",
        ),
        ("seen_by: [app, writer]", "seen_by: [app]", 20, "and not give email, which must have a value"),
        ("seen_by: [app, writer]", "seen_by: []", 20, "and not give email, which must have a value"),
        ("s.users: [email]", "s.users: [mail]", 16, "s.users has no column mail: did you mean email?"),
        ("s.users: [email]", "s.users: [id]", 14, "is in the key by which the trail names the rows"),
        ("on: [s.users, s.products]", "on: [s.user]", 19, "there is no table s.user: did you mean s.users?"),
        ("on: [s.users, s.products]", "on: [t.users]", 19, "there is no schema t for t.users"),
        ("on: [s.users, s.products]", "on: [s.parts_1]", 19, "is a partition: name its parent s.parts"),
        ("on: [s.users, s.products]", "on: [s.seen]", 19, "is a view"),
        ("on: [s.users, s.products]", "on: [s.far]", 19, "is a foreign table"),
        ("on: [s.users, s.products]", "on: [all, s.users]", 19, "all stands alone"),
        ("may: select,", "may: selekt,", 19, "selekt is not known here: write select, insert"),
        ("may: select,", "may: select, rows: own,", 19, "reader has a rule about own rows and is nobody"),
        ("on: [s.orders, s.lines]", "on: [s.products]", 21, "whose rows those of s.products are is not said"),
        ("status = 'new'", "status = ", 22, "is no SQL condition"),
        ("status = 'new'", "true) or (true", 22, "is no SQL condition"),
        ("status = 'new'", "stat = 'new'", 22, "uses stat, which is no column of s.orders"),
        ("status = 'new'", '"lines.status = 1"', 22, "uses lines.status, which is no column"),
        ("status = 'new'", "id in (select 1)", 22, "holds a subquery"),
        ("[user_id, status]", "[user_id, status, total]", 22, "is generated, and nobody may write it"),
        ("[user_id, status]", "[status]", 22, "and not give user_id, which must have a value"),
        (
            "select, on: [s.users, s.products]",
            "select, on: s.users, columns: [email]",
            19,
            "and does not see its label",
        ),
        (
            "never:",
            "  - {role: reader, may: select, on: s.users, columns: [id]}\nnever:",
            23,
            "is said on line 19",
        ),
        ("[insert, delete], on: all", "[select], on: all", 24, "and the rule on line 19 allows it"),
        (
            "{role: reader, may: [insert",
            "{role: writer, may: [insert",
            24,
            "and the rule on line 20 allows it",
        ),
        ("[insert, delete], on: all", "[delete], on: all, where: true", 24, "never takes no where"),
        ("columns: [user_id, status]", "columns: []", 22, "rules.columns: write at least one"),
        ("by_row: s.keyless", "by_row: s.keylass", 25, "there is no table s.keylass"),
        ("  trail: {kind: audit owner}\n", "", 24, "no role is of kind audit owner"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(old: str, new: str, line: int, said: str):
    """Every mistake is one line that says what and what to do."""
    found = problems(old, new)

    assert any(number == line and said in text for number, text in found), found
    assert all("\n" not in text for _, text in found)


def test_an_inherited_permission_may_be_forbidden():
    """never looks at what is inherited, too, and names the role that the rule is of."""
    found = problems(
        "{role: reader, may: [insert, delete], on: all}", "{role: writer, may: select, on: s.products}"
    )

    assert found == [
        (
            24,
            "never may writer select s.products, and the rule on line 19 allows it, inherited from reader: "
            "take one of them away",
        )
    ]


def test_a_key_is_needed_where_the_trail_may_not_keep_the_values():
    """Without a key the whole row would tell it; by row it need not be found again; no label, no harm."""
    labelled = GOOD.replace("s.users: [email]", "s.users: [email]\n      s.keyless: [phone]")
    read_intent(labelled, CATALOG)
    read_intent(GOOD.replace(", by_row: s.keyless", ""), CATALOG)

    with pytest.raises(IntentError, match=r"s\.keyless has no key"):
        read_intent(labelled.replace(", by_row: s.keyless", ""), CATALOG)


def test_all_problems_are_told_at_once(tmp_path: Path):
    """The message has the first with its file and line; the report has all, in the order of the lines."""
    file = tmp_path / "my intent.yaml"
    file.write_text(GOOD.replace("s.products]", "s.product]").replace("writer, may", "writter, may"))

    with pytest.raises(IntentError) as raised:
        read_intent(file, CATALOG)

    assert str(raised.value).startswith(f"{file}:19: there is no table s.product")
    assert str(raised.value).endswith("(and 1 more)")
    assert [line.split(":")[1] for line in raised.value.report.splitlines()] == ["19", "20"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the intent is empty"),
        ("- a", "an intent is a mapping"),
        ("intent: x", "roles is missing: add it"),
        ("intent: [x", "this is not YAML"),
        ("intent: &a x\nroles: *a", "referred to by an alias"),
        ("intent: x\nroles: &a {b: *a}", "referred to by an alias"),
        ("intent: \x00", "this is not YAML"),
        ("{a: 1, [b]: 2}", "a key must be a name"),
        ("[" * 3000 + "]" * 3000, "nested too deep"),
    ],
)
def test_what_is_no_intent_at_all_is_told(text: str, said: str):
    """One line, whatever was given."""
    with pytest.raises(IntentError) as raised:
        read_intent(text, CATALOG)

    assert said in raised.value.report and "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path):
    """A missing file, a folder, another encoding."""
    (tmp_path / "latin").write_bytes(b"intent: x\nroles: {\xe9: }")

    for path, said in (
        ("none", "cannot be read"),
        ("", "cannot be read"),
        ("latin", "latin:2: this is not UTF-8"),
    ):
        with pytest.raises(BadInput, match=said):
            read_intent(tmp_path / path, CATALOG)


def test_names_are_taken_as_written_or_in_lower_case():
    """As SQL would fold them, and capitals without quotes where a table is called so."""
    text = GOOD.replace("[s.users, s.products]", '[S.USERS, s.Odd, \'"s"."products"\']')

    assert read_intent(text, CATALOG).rules[0].tables == (USERS, ("s", "Odd"), PRODUCTS)


def test_words_that_yaml_knows_are_names_here():
    """A role may be called no, on or null."""
    text = GOOD.replace("  reader:\n", "  reader:\n  no:\n  'null':\n").replace(
        "role: reader, may: select", "role: [reader, no, 'null'], may: select"
    )
    intent = read_intent(text, CATALOG)

    assert [rule.role for rule in intent.rules[:3]] == ["reader", "no", "null"]
    assert read_intent(write_intent(intent), CATALOG) == intent


def test_rows_and_columns_of_two_rules_cannot_be_crossed():
    """PostgreSQL would allow all these columns of all these rows; the same columns may be."""
    rules = """\
rules:
  - {role: reader, may: select, on: s.orders, where: status = 'new', columns: [id, status]}
  - {role: writer, may: select, on: s.orders, columns: [id]}
"""
    head = GOOD[: GOOD.index("rules:")]

    with pytest.raises(IntentError, match="PostgreSQL grants rows and columns apart"):
        read_intent(head + rules, CATALOG)
    read_intent(head + rules.replace("columns: [id]}", "columns: [id, status]}"), CATALOG)
    read_intent(head + rules.replace(", columns: [id]}", "}"), CATALOG)


@pytest.mark.parametrize("seed", range(20))
def test_any_name_survives_the_file(seed: int):
    """Quotes, blanks, line ends, signs of YAML and of other scripts in the names of everything."""
    signs = random.Random(seed)

    def name() -> str:
        letters = "aB \"'\\:#-?,[]{}&*!|>%@`\n\t\x85\u2028\ufeffäя名😀~."
        return "x" + "".join(signs.choice(letters) for _ in range(12))

    def odd_table() -> Table:
        return Table(name(), name(), "table", "o", (column(name()), column(name(), "text", nullable=True)))

    tables = [odd_table() for _ in range(3)]
    catalog = Catalog("db", "PostgreSQL 18", 180000, tuple(tables))
    names = [(each.schema, each.name) for each in tables]
    roles = [name() for _ in range(3)]
    intent = Intent(
        "odd",
        (RoleIntent(roles[0], "owner", name()), RoleIntent(roles[1], "group"), RoleIntent(roles[2], "login")),
        (
            Rule(roles[1], tuple(names), ("select",)),
            Rule(roles[2], (names[0],), ("update",), columns=(tables[0].columns[1].name,)),
        ),
        labels=(Label("odd label", ((*names[1], tables[1].columns[1].name),), (roles[1],)),),
        notes={(): name(), ("role", roles[1]): name(), ("rule", "0"): name()},
    )

    assert read_intent(write_intent(intent), catalog) == intent
