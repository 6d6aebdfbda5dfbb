"""The catalog on a real server: every kind of fact, and what must be left out."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
from psycopg2.sql import SQL, Composed, Identifier, Literal

from workbench.catalog.model import Catalog, Column, Constraint, Index, Routine, Sequence, Table, qualified
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server, installed_binaries, private_cluster
from workbench.errors import SchemaNotFound, SourceError

ODD_NAMES = (
    'double "quotes"',
    "Capitals",
    "with spaces",
    "single 'quotes'",
    "<script>alert(1)</script>",
    "emoji 🐘",
    "100%",
    "%s %(name)s",
    "{braces}",
    "back\\slash",
    "a.b",
    "select",
    "t",
)


@pytest.fixture
def role(server: Server, database: str) -> Iterator[str]:
    """The name of a role that may log in and has no privilege of its own."""
    name = f"workbench test {uuid.uuid4().hex[:8]}"
    with server.session(database) as conn:
        conn.execute(SQL("create role {} login").format(Identifier(name)))
        try:
            yield name
        finally:
            conn.execute(SQL("drop owned by {0}; drop role {0}").format(Identifier(name)))


def table(conn: Connection, name: str, schema: str = "public") -> Table:
    return reflect(conn).table(schema, name)


def column(conn: Connection, name: str, of: str = "t") -> Column:
    return table(conn, of).column(name)


def constraint(conn: Connection, name: str, of: str = "t") -> Constraint:
    return next(found for found in table(conn, of).constraints if found.name == name)


def index(conn: Connection, name: str, of: str = "t") -> Index:
    return next(found for found in table(conn, of).indexes if found.name == name)


# the database


def test_an_empty_database_has_no_tables(pg: Connection, server: Server, database: str) -> None:
    """An empty database is an empty catalog that names database and server."""
    catalog = reflect(pg)

    assert (catalog.tables, catalog.sequences, catalog.routines) == ((), (), ())
    assert (catalog.enums, catalog.domains, catalog.schemas) == ({}, {}, ())
    assert catalog.database == database
    assert server.description.startswith(catalog.server)
    assert catalog.server_version == server.version


def test_an_unknown_schema_is_an_error_that_names_the_known_ones(pg: Connection, database: str) -> None:
    """A schema that is not there is refused with the names of those that are; so are the system's."""
    pg.execute("create schema sales")

    with pytest.raises(SchemaNotFound, match=f"'shop' is not in database '{database}': it has public, sales"):
        reflect(pg, schemas=["sales", "shop"])
    with pytest.raises(SchemaNotFound, match="'pg_catalog'"):
        reflect(pg, schemas=["pg_catalog"])


def test_only_the_named_schemas_are_read(pg: Connection) -> None:
    """Tables, sequences, routines and types of other schemas are left out; a key may point to them."""
    pg.execute("create schema sales")
    pg.execute("create table public.t (id serial primary key)")
    pg.execute("create table sales.t (id serial primary key, other int references public.t)")
    pg.execute("create function public.f() returns int language sql return 1")
    pg.execute("create type public.mood as enum ('sad')")

    catalog = reflect(pg, schemas=["sales"])

    assert [found.qualified for found in catalog.tables] == ["sales.t"]
    assert [found.schema for found in catalog.sequences] == ["sales"]
    assert (catalog.routines, catalog.enums) == ((), {})
    assert catalog.table("sales", "t").foreign_keys[0].references == ("public", "t")
    assert reflect(pg, schemas=[]).tables == ()


def test_temporary_and_system_tables_are_left_out(pg: Connection) -> None:
    """A temporary table is of a session, not of the design."""
    pg.execute("create temporary table passing (id int); create table lasting (id int)")

    assert [found.qualified for found in reflect(pg).tables] == ["public.lasting"]


def test_objects_of_extensions_are_left_out(pg: Connection, server: Server) -> None:
    """What an extension brought is the extension's; a table that only uses its type stays."""
    server.require_extension("citext")
    pg.execute("create schema extensions; create extension citext schema extensions")
    pg.execute("create extension pg_stat_statements")
    pg.execute("create table t (name extensions.citext)")

    catalog = reflect(pg)

    assert [found.qualified for found in catalog.tables] == ["public.t"]
    assert catalog.routines == ()
    assert {"citext", "plpgsql", "pg_stat_statements"} <= set(catalog.extensions)
    assert catalog.table("public", "t").column("name").type == "extensions.citext"


def test_roles_and_their_memberships(pg: Connection, role: str) -> None:
    """A role has its attributes and its groups; the predefined roles are named only as groups."""
    pg.execute(SQL("grant pg_monitor to {}").format(Identifier(role)))

    roles = {found.name: found for found in reflect(pg).roles}

    assert roles[role].login
    assert not roles[role].superuser
    assert not roles[role].bypass_row_security
    assert roles[role].member_of == ("pg_monitor",)
    assert "pg_monitor" not in roles
    assert any(found.superuser for found in roles.values())


# relations


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("create table t (id int)", "table"),
        ("create table t (id int) partition by hash (id)", "partitioned table"),
        ("create view t as select 1 as id", "view"),
        ("create materialized view t as select 1 as id", "materialized view"),
        (
            "create foreign data wrapper w; create server s foreign data wrapper w;"
            "create foreign table t (id int) server s",
            "foreign table",
        ),
    ],
)
def test_the_kinds_of_relations(pg: Connection, statement: str, kind: str) -> None:
    """Each kind of relation is told from the others, and has its columns."""
    pg.execute(statement)

    found = table(pg, "t")

    assert found.kind == kind
    assert [part.name for part in found.columns] == ["id"]


def test_what_is_no_relation_with_rows_is_no_table(pg: Connection) -> None:
    """Composite types, sequences and indexes are not tables."""
    pg.execute("create type pair as (a int, b int); create sequence s; create table t (id int primary key)")

    assert [found.name for found in reflect(pg).tables] == ["t"]


def test_a_tables_own_facts(pg: Connection, role: str) -> None:
    """Owner, comment, row security and persistence are read; a plain table has none of them."""
    pg.execute("create table plain (id int); create unlogged table t (id int)")
    pg.execute("comment on table t is 'It''s 100% fine'")
    pg.execute("alter table t enable row level security; alter table t force row level security")
    pg.execute(SQL("alter table t owner to {}").format(Identifier(role)))

    plain, found = table(pg, "plain"), table(pg, "t")

    assert (found.owner, found.comment, found.persistence) == (role, "It's 100% fine", "unlogged")
    assert (found.row_security, found.row_security_forced) == (True, True)
    assert (plain.comment, plain.persistence) == (None, "permanent")
    assert (plain.row_security, plain.row_security_forced) == (False, False)


def test_sizes_and_rows(pg: Connection) -> None:
    """The rows are unknown until analyzed; the total size has the indexes and exceeds the table's."""
    pg.execute("create table t (id int primary key); insert into t select generate_series(1, 1000)")

    before = table(pg, "t")
    pg.execute("analyze t")
    after = table(pg, "t")

    assert before.rows_estimated is None
    assert after.rows_estimated == 1000
    assert 0 < after.size_bytes < after.total_size_bytes
    assert after.total_size_bytes - after.size_bytes == after.indexes[0].size_bytes


def test_an_analyzed_empty_table_has_no_rows(pg: Connection) -> None:
    """Nothing in it is another fact than nothing known."""
    pg.execute("create table t (id int); analyze t")

    assert table(pg, "t").rows_estimated == 0


def test_partitions(pg: Connection) -> None:
    """A partitioned table has key, statistics and its partitions' sums; a partition has parent and bound."""
    pg.execute(
        "create table t (id int, part int not null, primary key (part, id)) partition by range (part);"
        "create table t_1 partition of t for values from (1) to (2) partition by list (id);"
        "create table t_1_a partition of t_1 for values in (1, 2, 3);"
        "create table t_rest partition of t default;"
        "insert into t select n, least(n, 1) from generate_series(1, 3) n;"
        "insert into t select n, 5 from generate_series(1, 7) n;"
        "analyze"
    )

    parent, middle, leaf = table(pg, "t"), table(pg, "t_1"), table(pg, "t_1_a")
    rest = table(pg, "t_rest")

    assert (parent.partition_of, parent.partition_key, parent.partition_bound) == (None, "RANGE (part)", None)
    assert (middle.partition_of, middle.partition_key) == (("public", "t"), "LIST (id)")
    assert middle.partition_bound == "FOR VALUES FROM (1) TO (2)"
    assert (leaf.partition_of, leaf.partition_key) == (("public", "t_1"), None)
    assert rest.partition_bound == "DEFAULT"
    assert (parent.rows_estimated, middle.rows_estimated, leaf.rows_estimated) == (10, 3, 3)
    assert parent.total_size_bytes == leaf.total_size_bytes + rest.total_size_bytes > 0
    assert parent.column("part").distinct is not None
    assert [found.name for found in reflect(pg).base_tables] == ["t"]


def test_what_a_partition_has_from_its_parent_is_marked(pg: Connection) -> None:
    """A partition's copies of constraints, indexes and triggers are inherited, its own ones are not."""
    pg.execute(
        "create function f() returns trigger language plpgsql as 'begin return new; end';"
        "create table target (id int primary key);"
        "create table t (id int primary key, target int references target, check (id > 0))"
        " partition by hash (id);"
        "create table p partition of t for values with (modulus 1, remainder 0);"
        "create trigger audit after insert on t for each row execute function f();"
        "create trigger own after insert on p for each row execute function f();"
        "create index on t (target); create index own on p (id, target);"
        "alter table p add constraint own check (id < 9)"
    )

    parent, part = table(pg, "t"), table(pg, "p")

    assert not any(found.inherited for found in (*parent.constraints, *parent.indexes, *parent.triggers))
    checked = [found for found in part.constraints if found.kind != "not null"]
    assert [found.name for found in checked if not found.inherited] == ["own"]
    inherited = sorted(found.kind for found in checked if found.inherited)
    assert inherited == ["check", "foreign key", "primary key"]
    assert [found.name for found in part.indexes if not found.inherited] == ["own"]
    assert len([found for found in part.indexes if found.inherited]) == 2
    assert [(found.name, found.inherited) for found in part.triggers] == [("audit", True), ("own", False)]


def test_a_foreign_key_to_a_partitioned_table_is_one(pg: Connection) -> None:
    """The rows that the server keeps for each partition of the referenced table are no keys of the design."""
    pg.execute(
        "create table target (id int primary key) partition by hash (id);"
        "create table target_0 partition of target for values with (modulus 2, remainder 0);"
        "create table target_1 partition of target for values with (modulus 2, remainder 1);"
        "create table t (target int references target)"
    )

    assert [found.references for found in table(pg, "t").foreign_keys] == [("public", "target")]


def test_inheritance_without_partitions(pg: Connection) -> None:
    """A child that is no partition names its parents in order, and stands among the base tables."""
    pg.execute("create table a (x int); create table b (y int); create table t (z int) inherits (b, a)")

    found = table(pg, "t")

    assert (found.inherits, found.partition_of) == ((("public", "b"), ("public", "a")), None)
    assert found in reflect(pg).base_tables
    assert table(pg, "a").inherits == ()


# columns


def test_types_with_their_modifiers_and_without(pg: Connection) -> None:
    """A type is printed as the server does, its base without modifiers."""
    pg.execute("create table t (a numeric(12, 2), b varchar(3)[], c timestamptz(3), d char(2), e bigint)")

    assert [(found.type, found.base_type) for found in table(pg, "t").columns] == [
        ("numeric(12,2)", "numeric"),
        ("character varying(3)[]", "character varying[]"),
        ("timestamp(3) with time zone", "timestamp with time zone"),
        ("character(2)", "character"),
        ("bigint", "bigint"),
    ]


def test_domains_are_followed_to_the_type_beneath(pg: Connection) -> None:
    """A domain over a domain over an enum: name, type beneath, labels, and that it forbids null."""
    pg.execute(
        """
        create type mood as enum ('sad', 'ok', 'happy');
        create domain feeling as mood not null;
        create domain "My feeling" as feeling default 'ok' check (value::mood <> 'sad');
        create domain amount as numeric(12, 2) constraint positive check (value > 0);
        create table t (a "My feeling", b mood, c amount, d text);
        """
    )

    catalog = reflect(pg)
    a, b, c, d = catalog.table("public", "t").columns

    assert (a.domain, a.type, a.base_type) == ('public."My feeling"', 'public."My feeling"', "public.mood")
    assert (a.nullable, a.enum_labels) == (False, ("sad", "ok", "happy"))
    assert (b.domain, b.nullable, b.enum_labels) == (None, True, ("sad", "ok", "happy"))
    assert (c.domain, c.base_type, c.nullable) == ("public.amount", "numeric", True)
    assert (d.domain, d.enum_labels) == (None, ())
    assert catalog.enums == {"public.mood": ("sad", "ok", "happy")}
    assert catalog.domains == {
        "public.feeling": "public.mood NOT NULL",
        'public."My feeling"': "public.feeling DEFAULT 'ok'::public.mood"
        " CHECK (((VALUE)::public.mood <> 'sad'::public.mood))",
        "public.amount": "numeric(12,2) CHECK ((VALUE > (0)::numeric))",
    }


def test_identity_generated_default_and_collation(pg: Connection) -> None:
    """How a column gets its value, and by which rules its text sorts."""
    pg.execute(
        """
        create table t (
          a int generated always as identity, b int generated by default as identity, c int default 1 + 1,
          d int generated always as (c * 2) stored, e text collate "C", f text, g name
        )
        """
    )
    columns = {found.name: found for found in table(pg, "t").columns}

    assert [columns[name].identity for name in "abc"] == ["always", "by default", ""]
    assert (columns["c"].default, columns["c"].generated) == ("(1 + 1)", "")
    assert (columns["d"].default, columns["d"].generated) == ("(c * 2)", "stored")
    assert (columns["e"].collation, columns["f"].collation, columns["g"].collation) == ("C", None, None)
    assert columns["f"].default is None


def test_a_virtual_generated_column(pg: Connection, server: Server) -> None:
    """A column that is computed when it is read is told from a stored one."""
    if server.version < 180000:
        pytest.skip("virtual generated columns came with PostgreSQL 18")
    pg.execute("create table t (a int, b int generated always as (a * 2) virtual)")

    assert column(pg, "b").generated == "virtual"


def test_a_dropped_column_is_gone(pg: Connection) -> None:
    """The place of a dropped column stays empty, its neighbours keep their positions."""
    pg.execute("create table t (a int, b int, c int not null); alter table t drop column b")

    found = [(each.name, each.position, each.nullable) for each in table(pg, "t").columns]

    assert found == [("a", 1, True), ("c", 3, False)]


def test_column_comments_and_statistics(pg: Connection) -> None:
    """The planner's figures are there once the table was analyzed, and not before."""
    pg.execute("create table t (a int, b text); comment on column t.b is 'the b'")
    pg.execute("insert into t select n, nullif(n % 4, 0)::text from generate_series(1, 400) n")

    before = column(pg, "b")
    pg.execute("analyze t")
    a, b = table(pg, "t").columns

    assert (before.null_fraction, before.distinct, before.average_width_bytes) == (None, None, None)
    assert (b.null_fraction, b.distinct, b.average_width_bytes) == (0.25, 3, 2)
    assert (a.null_fraction, a.distinct, a.average_width_bytes) == (0, -1, 4)
    assert (a.comment, b.comment) == (None, "the b")


def test_1600_columns(pg: Connection) -> None:
    """A table as wide as the server allows is read whole."""
    columns = SQL(", ").join(SQL("{} int").format(Identifier(f"c{n}")) for n in range(1, 1601))
    pg.execute(SQL("create table t ({})").format(columns))

    assert [found.name for found in table(pg, "t").columns] == [f"c{n}" for n in range(1, 1601)]


def test_a_table_without_columns(pg: Connection) -> None:
    """No column is no error."""
    pg.execute("create table t ()")

    assert table(pg, "t").columns == ()


# constraints


def test_the_kinds_of_constraints(pg: Connection) -> None:
    """Each constraint has its kind, its columns in key order, and a definition that can be run."""
    pg.execute(
        """
        create table t (
          a int, b int, c int4range,
          constraint t_pk primary key (b, a),
          constraint t_uq unique (a),
          constraint t_ck check (a > b),
          constraint t_ck_none check (true),
          constraint t_ex exclude using gist (c with &&)
        )
        """
    )
    found = {each.name: each for each in table(pg, "t").constraints}

    assert {name: (each.kind, each.columns) for name, each in found.items() if each.kind != "not null"} == {
        "t_pk": ("primary key", ("b", "a")),
        "t_uq": ("unique", ("a",)),
        "t_ck": ("check", ("a", "b")),
        "t_ck_none": ("check", ()),
        "t_ex": ("exclusion", ("c",)),
    }
    assert found["t_ck"].definition == "CHECK ((a > b))"
    assert found["t_ex"].definition == "EXCLUDE USING gist (c WITH &&)"
    assert table(pg, "t").primary_key == found["t_pk"]


def test_foreign_keys_pair_their_columns(pg: Connection) -> None:
    """The referenced columns stand in the order of the referencing ones, with both actions."""
    pg.execute(
        """
        create schema other;
        create table other.target (x int, y int, unique (x, y));
        create table t (
          a int, b int,
          constraint fk foreign key (b, a) references other.target (y, x)
            on delete set null on update cascade,
          constraint plain foreign key (a, b) references other.target (x, y)
        );
        """
    )
    fk, plain = constraint(pg, "fk"), constraint(pg, "plain")

    assert (fk.columns, fk.references, fk.referenced_columns) == (("b", "a"), ("other", "target"), ("y", "x"))
    assert (fk.on_delete, fk.on_update) == ("set null", "cascade")
    assert (plain.on_delete, plain.on_update) == ("no action", "no action")
    assert "REFERENCES other.target(y, x)" in fk.definition
    assert (table(pg, "target", "other").constraints[0].references, fk.inherited) == (None, False)


def test_the_state_of_a_constraint(pg: Connection) -> None:
    """Not valid, deferrable and initially deferred are read, and so is a comment."""
    pg.execute(
        """
        create table t (a int);
        alter table t add constraint plain check (a > 0);
        alter table t add constraint later check (a > 1) not valid;
        alter table t add constraint deferred unique (a) deferrable initially deferred;
        comment on constraint plain on t is 'above nought';
        """
    )
    plain, later, deferred = (constraint(pg, name) for name in ("plain", "later", "deferred"))

    assert (plain.validated, plain.enforced) == (True, True)
    assert (plain.deferrable, plain.initially_deferred) == (False, False)
    assert (later.validated, deferred.deferrable, deferred.initially_deferred) == (False, True, True)
    assert (plain.comment, later.comment) == ("above nought", None)


def test_a_constraint_that_is_not_enforced(pg: Connection, server: Server) -> None:
    """A constraint that is only declared says so."""
    if server.version < 180000:
        pytest.skip("constraints that are not enforced came with PostgreSQL 18")
    pg.execute("create table t (a int constraint declared check (a > 0) not enforced)")

    assert constraint(pg, "declared").enforced is False


def test_not_null_constraints(pg: Connection, server: Server) -> None:
    """From PostgreSQL 18 on NOT NULL is a constraint with a name; before, the column alone tells."""
    pg.execute("create table t (a int not null, b int)")

    found = [each for each in table(pg, "t").constraints if each.kind == "not null"]

    expected = [("t_a_not_null", ("a",), "NOT NULL a")] if server.version >= 180000 else []
    assert [(each.name, each.columns, each.definition) for each in found] == expected
    assert [each.nullable for each in table(pg, "t").columns] == [False, True]


# indexes


def test_the_parts_of_an_index(pg: Connection) -> None:
    """Keys, expressions, included columns and the predicate are told apart."""
    pg.execute(
        """
        create table t (a int, "B c" text, d int);
        create index complex on t (lower("B c") desc, a) include (d) where d > 0;
        create index plain on t using hash ("B c");
        """
    )
    found, plain = index(pg, "complex"), index(pg, "plain")

    assert (found.method, found.keys, found.columns) == ("btree", ('lower("B c")', "a"), (None, "a"))
    assert (found.included, found.predicate) == (("d",), "(d > 0)")
    assert "public.t USING btree" in found.definition
    assert (plain.method, plain.keys, plain.columns) == ("hash", ('"B c"',), ("B c",))
    assert (plain.included, plain.predicate, plain.constraint) == ((), None, None)
    assert (found.unique, found.primary, found.valid) == (False, False, True)


def test_the_indexes_of_constraints(pg: Connection) -> None:
    """An index that carries a constraint names it, other indexes do not; a foreign key has no index."""
    pg.execute(
        """
        create table t (a int constraint pk primary key, b int constraint uq unique, c int);
        create unique index own on t (c);
        create table u (a int constraint fk references t);
        """
    )
    pk, uq, own = (index(pg, name) for name in ("pk", "uq", "own"))

    assert [(each.constraint, each.unique, each.primary) for each in (pk, uq, own)] == [
        ("pk", True, True),
        ("uq", True, False),
        (None, True, False),
    ]
    assert table(pg, "u").indexes == ()


def test_nulls_not_distinct(pg: Connection, server: Server) -> None:
    """A unique index under which two nulls are equal is told from a usual one."""
    if server.version < 150000:
        pytest.skip("nulls not distinct came with PostgreSQL 15")
    pg.execute("create table t (a int unique nulls not distinct, b int unique)")

    assert index(pg, "t_a_key").nulls_not_distinct
    assert not index(pg, "t_b_key").nulls_not_distinct


def test_an_invalid_index(pg: Connection) -> None:
    """What a failed concurrent build left behind is not valid."""
    pg.execute("create table t (a int); insert into t values (1), (1)")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        pg.execute("create unique index concurrently broken on t (a)")
    pg.execute("create index whole on t (a)")

    assert not index(pg, "broken").valid
    assert index(pg, "whole").valid


def test_the_scans_of_an_index(server: Server, database: str) -> None:
    """How often an index was used since the statistics were reset."""
    with server.session(database) as conn:
        conn.execute("create table t (a int primary key); create index unused on t (a)")
    with server.session(database) as conn:
        conn.execute("set enable_seqscan = off; set enable_bitmapscan = off; drop index unused")
        conn.execute("select 1 from t where a = 1")
        conn.execute("create index unused on t (a)")
    with server.session(database) as conn:
        assert (index(conn, "t_pkey").scans, index(conn, "unused").scans) == (1, 0)


# triggers and policies


def test_triggers(pg: Connection) -> None:
    """Declared triggers with function and state; those behind a foreign key are the system's."""
    pg.execute(
        """
        create schema audit;
        create function audit."Log it"() returns trigger language plpgsql as 'begin return new; end';
        create table target (id int primary key);
        create table t (id int references target);
        create trigger a before insert on t for each row execute function audit."Log it"();
        create trigger b before update on t for each row execute function audit."Log it"();
        create trigger c before update on t for each row execute function audit."Log it"();
        create trigger d before update on t for each row execute function audit."Log it"();
        alter table t disable trigger b;
        alter table t enable replica trigger c;
        alter table t enable always trigger d;
        """
    )
    triggers = table(pg, "t").triggers

    assert [(found.name, found.enabled) for found in triggers] == [
        ("a", "origin"),
        ("b", "disabled"),
        ("c", "replica"),
        ("d", "always"),
    ]
    assert {found.function for found in triggers} == {'audit."Log it"'}
    assert triggers[0].definition.startswith("CREATE TRIGGER a BEFORE INSERT ON public.t FOR EACH ROW")
    assert table(pg, "target").triggers == ()


def test_policies(pg: Connection, role: str) -> None:
    """Command, roles, both expressions, and whether a policy permits or restricts."""
    pg.execute("create table t (a int)")
    pg.execute("create policy everyone on t using (a > 0)")
    one_role = "create policy one on t as restrictive for insert to {} with check (a > 1)"
    pg.execute(SQL(one_role).format(Identifier(role)))

    everyone, one = table(pg, "t").policies

    assert (everyone.name, everyone.command, everyone.permissive, everyone.roles) == (
        "everyone",
        "all",
        True,
        ("public",),
    )
    assert (everyone.using, everyone.check) == ("(a > 0)", None)
    assert (one.command, one.permissive, one.roles) == ("insert", False, (role,))
    assert (one.using, one.check) == (None, "(a > 1)")


# sequences and routines


def test_sequences_and_their_owners(pg: Connection) -> None:
    """A serial's and an identity's sequence are owned by their column, one of its own is not."""
    pg.execute(
        """
        create table t (a serial, b int generated always as identity, c int);
        create sequence lone as smallint increment 5 minvalue -3 cycle;
        insert into t default values;
        """
    )
    sequences = {found.name: found for found in reflect(pg).sequences}

    assert sequences["t_a_seq"] == Sequence(
        schema="public",
        name="t_a_seq",
        type="integer",
        last_value=1,
        maximum=2**31 - 1,
        increment=1,
        owned_by=("public", "t", "a"),
    )
    assert (sequences["t_b_seq"].owned_by, sequences["t_b_seq"].identity) == (("public", "t", "b"), True)
    lone = sequences["lone"]
    assert (lone.owned_by, lone.identity, lone.last_value) == (None, False, None)
    assert (lone.type, lone.minimum, lone.maximum) == ("smallint", -3, 2**15 - 1)
    assert (lone.increment, lone.cycles) == (5, True)


def test_routines(pg: Connection, role: str) -> None:
    """Kind, arguments, language, whose rights it runs with, and which path it sets."""
    pg.execute(
        """
        create function f(a int, b text default 'x') returns int language sql return 1;
        create function f() returns int language sql security definer
          set search_path = public, pg_temp return 1;
        create procedure p() language plpgsql as 'begin null; end';
        create aggregate total(int) (sfunc = int4pl, stype = int, initcond = '0');
        """
    )
    pg.execute(SQL("alter procedure p() owner to {}").format(Identifier(role)))
    routines = reflect(pg).routines
    owner = routines[0].owner

    assert routines == (
        Routine("public", "f", "function", "", "sql", True, "public, pg_temp", owner),
        Routine("public", "f", "function", "a integer, b text", "sql", False, None, owner),
        Routine("public", "p", "procedure", "", "plpgsql", False, None, role),
        Routine("public", "total", "aggregate", "integer", "internal", False, None, owner),
    )


# names


def test_odd_names_are_kept_as_they_are(pg: Connection) -> None:
    """Quotes, capitals, spaces, HTML, emoji and per cent signs in every kind of name."""
    for name in ODD_NAMES:
        pg.execute(_odd_schema(name))

    catalog = reflect(pg)

    assert set(catalog.schemas) == set(ODD_NAMES)
    for name in ODD_NAMES:
        found = catalog.table(name, name)
        assert [each.name for each in found.columns] == [name, name + "2"]
        assert found.column(name + "2").enum_labels == (name,)
        assert found.primary_key is not None
        assert (found.primary_key.name, found.primary_key.columns) == (name + " pk", (name,))
        assert [each.columns for each in found.indexes if each.name == name + " index"] == [(name + "2",)]
        assert (found.comment, found.qualified) == (name, qualified(name, name))
        assert catalog.enums[qualified(name, name + " type")] == (name,)
        assert [each.owned_by for each in catalog.sequences if each.schema == name] == [(name, name, name)]
    assert catalog == reflect(pg, schemas=ODD_NAMES)


def _odd_schema(name: str) -> Composed:
    return SQL(
        """
        create schema {name};
        create type {name}.{type} as enum ({label});
        create table {name}.{name} (
          {name} int generated always as identity constraint {key} primary key, {second} {name}.{type}
        );
        create index {index} on {name}.{name} ({second}) where {second} is not null;
        comment on table {name}.{name} is {label};
        """
    ).format(
        name=Identifier(name),
        type=Identifier(name + " type"),
        key=Identifier(name + " pk"),
        second=Identifier(name + "2"),
        index=Identifier(name + " index"),
        label=Literal(name),
    )


# the session


def test_definitions_do_not_depend_on_the_search_path(pg: Connection) -> None:
    """The same catalog whatever the session's path, even one with a table that poses as the system's."""
    pg.execute(
        """
        create schema other; create type other.mood as enum ('sad');
        create table other.target (id int primary key);
        create table other.t (m other.mood default 'sad', target int references other.target);
        create view other.pg_class as select 1 as oid;
        """
    )
    plain = reflect(pg)
    pg.execute("set search_path = other, pg_catalog; set quote_all_identifiers = on")

    assert reflect(pg) == plain
    assert plain.table("other", "t").column("m").type == "other.mood"
    assert pg.execute("show search_path").fetchone() == ("other, pg_catalog",)


def test_inside_a_read_only_transaction(pg: Connection) -> None:
    """A transaction of the caller's, read-only even, goes on with its own settings afterwards."""
    pg.execute("create table t (id int)")
    outside = reflect(pg)
    pg.execute("begin transaction read only")
    pg.execute("set local search_path = pg_temp")

    assert reflect(pg) == outside
    assert pg.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INTRANS
    assert pg.execute("show search_path").fetchone() == ("pg_temp",)
    pg.execute("rollback")


@pytest.mark.parametrize("autocommit", [True, False])
def test_an_idle_connection_is_idle_again(server: Server, database: str, autocommit: bool) -> None:
    """No transaction stays open, after an error neither, and autocommit is as it was."""
    with contextlib.closing(server.connect(database, autocommit=autocommit)) as conn:
        reflect(conn)
        with pytest.raises(SchemaNotFound):
            reflect(conn, schemas=["nowhere"])

        assert conn.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE
        assert conn.autocommit is autocommit


def test_an_error_leaves_the_callers_transaction_usable(pg: Connection) -> None:
    """After a schema that is not there the caller's transaction can still commit its work."""
    pg.execute("begin; create table t (id int)")
    with pytest.raises(SchemaNotFound):
        reflect(pg, schemas=["nowhere"])
    pg.execute("commit")

    assert [found.name for found in reflect(pg).tables] == ["t"]


def test_an_unprivileged_role_sees_the_structure_without_the_statistics(
    pg: Connection, server: Server, database: str, role: str
) -> None:
    """What may not be read appears all the same; column statistics and last values are absent."""
    pg.execute(
        """
        create schema secret;
        create type secret.mood as enum ('sad');
        create table secret.t (id serial primary key, m secret.mood, check (id > 0));
        create view secret.v as select id from secret.t;
        create materialized view secret.m as select id from secret.t;
        create function secret.f() returns int language sql return 1;
        create policy p on secret.t using (id > 0);
        insert into secret.t (m) values ('sad');
        analyze;
        revoke all on schema public, secret from public;
        """
    )
    seen_by_superuser = reflect(pg)
    with server.session(database, user=role) as conn:
        conn.execute("set default_transaction_read_only = on")
        seen = reflect(conn)

    assert seen_by_superuser.table("secret", "t").column("id").null_fraction == 0
    assert seen.table("secret", "t").column("id").null_fraction is None
    assert (seen_by_superuser.sequences[0].last_value, seen.sequences[0].last_value) == (1, None)
    assert seen.table("secret", "t").rows_estimated == 1
    assert _without_statistics(seen) == _without_statistics(seen_by_superuser)


def _without_statistics(catalog: Catalog) -> Catalog:
    """*catalog* without what depends on privileges or on the use that was made of it."""
    return replace(
        catalog,
        tables=tuple(
            replace(
                each,
                columns=tuple(
                    replace(part, null_fraction=None, distinct=None, average_width_bytes=None)
                    for part in each.columns
                ),
                indexes=tuple(replace(part, scans=None) for part in each.indexes),
            )
            for each in catalog.tables
        ),
        sequences=tuple(replace(each, last_value=None) for each in catalog.sequences),
    )


class RecordingConnection(Connection):
    """A connection that keeps the statements it ran and calls `before` ahead of each."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.statements: list[str] = []
        self.before: Callable[[str], None] = lambda statement: None

    def cursor(self, *args: Any, cursor_factory: Any = None, **kwargs: Any) -> Any:
        base = cursor_factory or psycopg2.extensions.cursor

        class RecordingCursor(base):  # type: ignore[misc, valid-type]
            def execute(cursor, query: Any, parameters: Any = None) -> Any:  # noqa: N805
                self.before(str(query))
                self.statements.append(str(query))
                return super().execute(query, parameters)

        return super().cursor(*args, cursor_factory=RecordingCursor, **kwargs)


@contextlib.contextmanager
def recorded(server: Server, database: str) -> Iterator[RecordingConnection]:
    conn = psycopg2.connect(server.url(database), connection_factory=RecordingConnection)
    with contextlib.closing(conn):
        yield conn


def test_the_number_of_queries_is_constant(pg: Connection, server: Server, database: str) -> None:
    """Two hundred tables take the statements that five take."""
    create = "create table {} (id serial primary key, other int references {} check (other > 0))"

    def statements_for(tables: range) -> list[str]:
        for number in tables:
            name = Identifier(f"t{number}")
            pg.execute(SQL(create).format(name, name))
        with recorded(server, database) as conn:
            assert len(reflect(conn).tables) == tables.stop
            return conn.statements

    few = statements_for(range(5))
    many = statements_for(range(5, 200))

    assert many == few
    assert len(few) <= 15


@contextlib.contextmanager
def disturbed(server: Server, database: str, statement: str, times: int) -> Iterator[RecordingConnection]:
    """A connection during whose reading another session runs *statement*, in the first *times* attempts."""
    with server.session(database) as other, recorded(server, database) as conn:
        remaining = iter(range(times))

        def interfere(query: str) -> None:
            if query.startswith("-- columns") and next(remaining, None) is not None:
                other.execute(statement)

        conn.before = interfere
        yield conn


def test_all_facts_are_of_one_snapshot(pg: Connection, server: Server, database: str) -> None:
    """What another session commits between two of the queries is not seen."""
    pg.execute("create table t (id int)")
    change = "alter table t add added int; alter table t add check (id > 0); create table new (id serial)"
    with disturbed(server, database, change, times=1) as conn:
        catalog = reflect(conn)

    assert [found.qualified for found in catalog.tables] == ["public.t"]
    found = catalog.table("public", "t")
    assert [each.name for each in found.columns] == ["id"]
    assert (found.constraints, catalog.sequences) == ((), ())


def test_what_is_dropped_meanwhile_does_no_harm(pg: Connection, server: Server, database: str) -> None:
    """A table that another session drops between two of the queries is gone from the catalog."""
    pg.execute("create table t (id int); create table gone (id int primary key check (id > 0))")
    with disturbed(server, database, "drop table gone", times=1) as conn:
        assert [found.name for found in reflect(conn).tables] == ["t"]


def test_a_database_that_never_rests_is_an_error(pg: Connection, server: Server, database: str) -> None:
    """Where tables go at each attempt, one clear line says so."""
    create = "create table gone (id int primary key check (id > 0))"
    pg.execute(create)
    with (
        disturbed(server, database, f"drop table gone; {create}", times=100) as conn,
        pytest.raises(SourceError, match=f"database '{database}' was changed while it was read"),
    ):
        reflect(conn)


# other versions


def test_an_older_server_gives_the_same_catalog(pg: Connection) -> None:
    """The same schema on an installed older PostgreSQL, but for NOT NULL, a constraint from 18 on."""
    newest = pg.info.server_version // 10000
    older = [found for found in installed_binaries() if 13 <= found.major < newest]
    if not older:
        pytest.skip(f"no PostgreSQL 13 to {newest - 1} is installed beside the engine's {newest}")
    statements = (
        """
        create type mood as enum ('sad', 'ok');
        create domain amount as numeric(12, 2) default 0 not null constraint positive check (value > 0);
        create table target (id bigint generated always as identity primary key, "Odd name" text unique);
        create table t (
          id serial primary key, target bigint references target on delete cascade, m mood default 'ok',
          a amount, d date not null, span int4range, doubled int generated always as (id * 2) stored,
          exclude using gist (span with &&), check (id > 0)
        );
        create table measured (
          id int, day date not null, target bigint references target, primary key (id, day)
        ) partition by range (day);
        create table measured_1 partition of measured for values from ('2024-01-01') to ('2025-01-01');
        create table measured_rest partition of measured default;
        create index on t ((id + 1)) include (d) where d is not null;
        create view v as select id from t;
        create materialized view mv as select id from t;
        create function f() returns trigger language plpgsql as 'begin return new; end';
        create trigger audit after insert on measured for each row execute function f();
        create policy p on t using (id > 0);
        create sequence lone as smallint;
        insert into target ("Odd name") select n::text from generate_series(1, 100) n;
        insert into measured select n, '2024-06-01', n from generate_series(1, 100) n;
        comment on table t is 'the t'; comment on column t.id is 'the id';
        """,
        "analyze",
    )
    with private_cluster(binaries=older[0]) as (server, _cluster), server.session() as conn:
        for statement in statements:
            pg.execute(statement)
            conn.execute(statement)
        old, new = reflect(conn), reflect(pg)

    assert old.server_version // 10000 == older[0].major
    assert _without_version(old) == _without_version(new)


def _without_version(catalog: Catalog) -> Catalog:
    return replace(
        catalog,
        database="",
        server="",
        server_version=0,
        roles=(),
        tables=tuple(
            replace(
                each,
                constraints=tuple(part for part in each.constraints if part.kind != "not null"),
                indexes=tuple(replace(part, scans=None) for part in each.indexes),
            )
            for each in catalog.tables
        ),
    )
