"""Constraints are proved by breaking them: what refuses, what does not, and what could not be tried."""

from __future__ import annotations

import psycopg2
import pytest
from psycopg2 import sql

from workbench.catalog.digest import catalog_digest, data_digest
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server
from workbench.errors import FeatureUnavailable
from workbench.proof.constraints import Attempt, attempt_constraints, constraint_summary


def attempts(pg: Connection, ddl: str) -> dict[str, Attempt]:
    """The attempts on the tables that *ddl* makes, by constraint."""
    pg.execute(ddl)
    found = attempt_constraints(pg, reflect(pg))
    assert len({(one.table, one.constraint) for one in found}) == len(found)
    return {one.constraint: one for one in found}


def outcomes(pg: Connection, ddl: str) -> dict[str, str]:
    return {name: one.outcome for name, one in attempts(pg, ddl).items()}


REFUSED = {
    "primary key": "create table t (id int, constraint target primary key (id))",
    "composite primary key": "create table t (a int, b text, constraint target primary key (a, b))",
    "plain unique": "create table t (id int primary key, a int, constraint target unique (a))",
    "unique superset of the key": "create table t (id int primary key, a int,"
    "constraint target unique (id, a))",
    "unique nulls not distinct": "create table t (a int, constraint target unique nulls not distinct (a))",
    "unique deferred": "create table t (a int, constraint target unique (a) deferrable initially deferred)",
    "partial unique index": "create table t (a int, s text);"
    "create unique index target on t (a) where s = 'open'",
    "expression unique index": "create table t (id int primary key, email text);"
    "create unique index target on t (lower(email))",
    "plain exclusion": "create table t (during tstzrange,"
    "constraint target exclude using gist (during with &&))",
    "exclusion of differing values": "create table t (cage int, animal text,"
    "constraint target exclude using gist (cage with =, animal with <>))",
    "partial exclusion": "create table t (during int4range, off boolean,"
    "constraint target exclude using gist (during with &&) where (not off))",
    "key without overlaps": "create table t (id int, valid daterange,"
    "constraint target primary key (id, valid without overlaps))",
    "foreign key": "create table p (id int primary key);"
    "create table t (p int, constraint target foreign key (p) references p)",
    "composite match full": "create table p (a int, b int, primary key (a, b));"
    "create table t (a int, b int, constraint target foreign key (a, b) references p match full)",
    "foreign key in the primary key": "create table p (id int primary key);"
    "create table t (p int, n int, primary key (p, n), constraint target foreign key (p) references p)",
    "self reference": "create table t (id int primary key, up int,"
    "constraint target foreign key (up) references t)",
    "deferred foreign key": "create table p (id int primary key); create table t (p int,"
    "constraint target foreign key (p) references p deferrable initially deferred)",
    "key to a partitioned table": "create table p (id int primary key) partition by hash (id);"
    "create table p0 partition of p for values with (modulus 1, remainder 0);"
    "create table t (p int, constraint target foreign key (p) references p)",
    "key of a partitioned table": "create table p (id int primary key);"
    "create table t (d date, p int, constraint target foreign key (p) references p) partition by range (d);"
    "create table t1 partition of t for values from ('2031-01-01') to ('2031-02-01')",
    "key tied by a check": "create table p (id int primary key); create table t (kind text not null, p int,"
    "constraint target foreign key (p) references p,"
    "constraint kind check ((kind = 'none' and p is null) or (kind = 'some' and p is not null)))",
    "temporal foreign key": "create table p (id int, v daterange, primary key (id, v without overlaps));"
    "create table t (id int, v daterange,"
    "constraint target foreign key (id, period v) references p (id, period v))",
    "check of a range": "create table t (a int not null, constraint target check (a between 0 and 100))",
    "check of two columns": "create table t (a date not null, b date, constraint target check (b >= a))",
    "check implied by another": "create table t (a int, constraint aa check (a > 5),"
    "constraint target check (a > 0))",
    "check of a list": "create table t (a text, constraint target check (a in ('new', 'old')))",
    "check of a pattern": "create table t (a text not null,"
    r"constraint target check (a ~ '^[A-Z]{2}\d{3,}-x$'))",
    "check of a length": "create table t (a varchar(300) not null,"
    "constraint target check (length(a) = 217))",
    "check of a sum": "create table t (a numeric(8,2) not null, b numeric(8,2) not null,"
    "c numeric(8,2) not null,"
    "constraint target check (c = a + b))",
    "check of exactly one": "create table t (a int, b text, c date,"
    "constraint target check (num_nonnulls(a, b, c) = 1))",
    "check of not null": "create table t (a int not null, constraint target check (a is not null))",
    "check that can fail": "create table t (a int not null, constraint target check (100 / a > 10))",
    "check of a document": "create table t (a jsonb not null, constraint target check (a ? 'sku'))",
    "check of an array": "create table t (a text[] not null, constraint target check (cardinality(a) = 4))",
    "check of a moment": "create table t (born date not null, constraint target check "
    "(born between '1930-01-01' and now() - interval '18 years'))",
    "check of a generated column": "create table t (a int not null, b int generated always as (a * 2) stored,"
    "constraint target check (b < 50))",
    "check of the partition key": "create table t (d date not null,"
    "constraint target check (d > '2020-01-01'))"
    "partition by range (d); create table t1 partition of t for values from ('2031-01-01') to ('2031-02-01')",
    "check not valid": "create table t (a int); insert into t values (1);"
    "alter table t add constraint target check (a > 5) not valid",
    "plain not null": "create table t (a int constraint target not null)",
    "not null in the key": "create table t (a int constraint target not null primary key)",
    "not null of the partition key": "create table t (d date constraint target not null)"
    "partition by range (d);"
    "create table t1 partition of t for values from ('2031-01-01') to ('2031-02-01')",
    "not null of an identity": "create table t (a int generated always as identity"
    " constraint target not null)",
    "not null of a generated column": "create table t (a int not null,"
    "b int generated always as (a + 1) stored constraint target not null)",
    "generated identity": "create table t (target int generated always as identity)",
    "domain check": "create domain d as text constraint target check (value ~ '^x+$');"
    "create table t (a d not null)",
    "check of a domain of a domain": "create domain c as int check (value > 0);"
    "create domain d as c constraint target check (value < 10); create table t (a d)",
    "check of a domain in no table": "create domain d as numeric(6,2) constraint target check (value >= 0)",
}  # fmt: skip


@pytest.fixture(scope="module")
def tried(server: Server) -> dict[str, Attempt]:
    """The attempt on the constraint or column ``target`` of each case, all in one database."""
    with server.scratch_database(label="test") as name, server.session(name) as conn:
        conn.execute("create extension btree_gist")
        for case, ddl in REFUSED.items():
            schema = sql.Identifier(case)
            conn.execute(sql.SQL("create schema {0}; set search_path to {0}, public").format(schema))
            conn.execute(ddl)
        found = attempt_constraints(conn, reflect(conn))
    return {one.table.split('"')[1]: one for one in found if one.constraint == "target"}


@pytest.mark.parametrize("case", REFUSED)
def test_a_constraint_in_force_refuses(tried: dict[str, Attempt], case: str) -> None:
    """A constraint of any kind refuses by its own name a row that breaks it, in a table without rows."""
    attempt = tried[case]

    assert attempt.outcome == "refused", attempt
    assert attempt.statement
    assert attempt.sqlstate in ("23502", "23503", "23505", "23514", "23P01", "428C9")


def test_each_type_can_be_given_a_row(pg: Connection) -> None:
    """A row is made for a table with a column of each type that PostgreSQL and its usual extensions have."""
    pg.execute(
        "create extension citext; create extension ltree; create extension hstore; create extension vector;"
        "create type colour as enum ('red', 'green'); create type pair as (a int, b text);"
        "create domain short as varchar(3) check (length(value) = 3)"
    )
    types = pg.execute(
        "select format_type(oid, null) from pg_type where typtype in ('b', 'r', 'm') and typcategory <> 'Z'"
        " and typnamespace = 'pg_catalog'::regnamespace and oid not in ('gtsvector'::regtype, 'xml'::regtype)"
        " and typname !~ '^(_|pg_(node|dep|mcv|ndis|brin)|aclitem|ref|reg|xid|cid|tid|txid|pg_snapshot)'"
    ).fetchall()
    own = [
        "citext",
        "ltree",
        "hstore",
        "vector(3)",
        "colour",
        "pair",
        "short",
        "colour[]",
        "short[]",
        "char(9)",
    ]
    names = [name for (name,) in types] + own
    columns = ", ".join(f"c{n} {name} not null" for n, name in enumerate(names))

    found = outcomes(pg, f"create table everything ({columns})")

    assert len(names) > 45
    assert {name: found[f"everything_c{n}_not_null"] for n, name in enumerate(names)} == dict.fromkeys(
        names, "refused"
    )


def test_existing_rows_are_the_start(pg: Connection) -> None:
    """Where a table has a row, that row is changed; an empty one is given a row."""
    found = attempts(
        pg,
        "create table full_one (id int primary key, a text check (a <> '')); "
        "insert into full_one values (7, 'x');"
        "create table empty_one (id int primary key)",
    )

    assert found["full_one_pkey"].base_row == "existing"
    assert found["full_one_a_check"].statement == "update public.full_one set a = '' where id = 7"
    assert found["empty_one_pkey"].base_row == "generated"


def test_what_is_not_in_force_accepts(pg: Connection) -> None:
    """A constraint NOT ENFORCED and a foreign key with disabled triggers take what they should refuse."""
    found = attempts(
        pg,
        "create table p (id int primary key);"
        "create table t (a int, p int, q int, r int, constraint loose_check check (a > 0) not enforced,"
        "constraint loose_key foreign key (p) references p not enforced,"
        "constraint asleep foreign key (q) references p, constraint awake foreign key (r) references p);"
        "insert into t values (1, null, null, null);"
        "do $$ declare name text; begin"
        " for name in select tgname from pg_trigger where tgrelid = 't'::regclass and tgconstraint ="
        " (select oid from pg_constraint where conname = 'asleep') loop"
        " execute format('alter table t disable trigger %I', name); end loop; end $$",
    )

    assert {name: one.outcome for name, one in found.items() if one.table == "public.t"} == {
        "loose_check": "accepted",
        "loose_key": "accepted",
        "asleep": "accepted",
        "awake": "refused",
    }
    assert found["loose_check"].reason == found["loose_key"].reason == "it is declared NOT ENFORCED"
    assert found["asleep"].reason == "the triggers that check it are disabled"


def test_a_check_that_lets_null_through_is_not_accepted(pg: Connection) -> None:
    """A null passes a check by definition: it is broken with a value."""
    found = attempts(pg, "create table t (a int, constraint c check (a > 0)); insert into t values (null)")

    assert found["c"].outcome == "refused"
    assert "null" not in found["c"].statement.lower()


def test_another_constraints_refusal_is_no_proof(pg: Connection) -> None:
    """What another constraint refuses first is tried with that one lifted, and the reason says so."""
    found = attempts(
        pg,
        "create table t (id int primary key, a int, constraint wide unique (id, a),"
        "constraint a1 check (a > 5), constraint a2 check (a > 0))",
    )

    assert found["wide"].constraint_reported == "wide"
    assert "t_pkey was lifted" in found["wide"].reason
    assert "drop constraint t_pkey" in found["wide"].statement
    assert found["a2"].constraint_reported == "a2"
    assert "a1 was lifted" in found["a2"].reason
    assert found["a1"].reason == ""


def test_what_cannot_be_violated_is_named(pg: Connection) -> None:
    """A tautology, a check that no row passes, a table without partitions, a trigger: each has its reason."""
    found = attempts(
        pg,
        "create table t (a int, constraint always check (a = a or a is null));"
        "create table s (id int primary key, constraint itself foreign key (id) references s);"
        "create function f() returns trigger language plpgsql as 'begin return null; end';"
        "create constraint trigger watch after insert on t for each row execute function f();"
        "create table lonely (d date not null) partition by range (d);"
        "create table never (a int not null, constraint impossible check (a > 5 and a < 3));"
        "create materialized view m as select 1 as a; create unique index m_key on m (a)",
    )

    reasons = {name: one.reason for name, one in found.items() if one.outcome == "not tried"}
    assert set(reasons) == {
        "itself",
        "always",
        "watch",
        "lonely_d_not_null",
        "never_a_not_null",
        "impossible",
        "m_key",
    }
    assert "perhaps nothing can violate it" in reasons["always"]
    assert "every key tried is one of public.s" in reasons["itself"]
    assert "no row was found that satisfies impossible" in reasons["impossible"]
    assert "no partition" in reasons["lonely_d_not_null"]
    assert "materialized view" in reasons["m_key"]


def test_partitions_are_tried_through_their_parent(pg: Connection) -> None:
    """What a partition has from its parent is tried at the parent, what is its own at the partition."""
    found = attempts(
        pg,
        "create table p (id int primary key);"
        "create table t (d date not null primary key, p int, n int check (n > 0)) partition by range (d);"
        "create table t1 partition of t for values from ('2031-01-01') to ('2031-02-01');"
        "create table t2 partition of t for values from ('2032-01-01') to ('2032-02-01');"
        "alter table t2 add constraint own_key foreign key (p) references p;"
        "alter table t2 add constraint own_check check (n < 100);"
        "insert into t values ('2031-01-05', null, 1)",
    )

    assert {one.outcome for one in found.values()} == {"refused"}
    assert {(one.table, name) for name, one in found.items() if one.table != "public.p"} == {
        ("public.t", "t_pkey"),
        ("public.t", "t_n_check"),
        ("public.t", "t_d_not_null"),
        ("public.t2", "own_key"),
        ("public.t2", "own_check"),
    }


def test_odd_names_are_no_obstacle(pg: Connection) -> None:
    """Names with quotes, blanks, markup, percent signs and emoji are tried like any other."""
    found = attempts(
        pg,
        """
        create schema "Ünï %s";
        create domain "Ünï %s"."do'm{}" as text constraint "d%(x)s" check (value <> '%');
        create table "Ünï %s"."<b>or""der</b> 🐘" (
            "select" int, "up %" int, "a b" "Ünï %s"."do'm{}" not null, "{0}" text,
            constraint "k'ey %" primary key ("select"),
            constraint "c;--" check ("{0}" ~~ '%{}%' and "{0}" <> '{}''%s'),
            constraint "self ref" foreign key ("up %") references "Ünï %s"."<b>or""der</b> 🐘"
        )""",
    )

    assert {name: one.outcome for name, one in found.items()} == dict.fromkeys(found, "refused")
    assert {"d%(x)s", "k'ey %", "c;--", "self ref"} <= set(found)
    assert found["k'ey %"].table == '"Ünï %s"."<b>or""der</b> 🐘"'


def test_user_code_rests_during_the_attempts(pg: Connection) -> None:
    """Triggers, even those that always fire, and rules neither hide a refusal nor see the attempts."""
    found = attempts(
        pg,
        "create sequence s; create table t (id int primary key, a int constraint c check (a > 0));"
        "insert into t values (1, 1);"
        "create function mend() returns trigger language plpgsql as"
        " 'begin perform nextval(''s''); new.a := 1; return new; end';"
        "create trigger mend before insert or update on t for each row execute function mend();"
        "alter table t enable always trigger mend;"
        "create rule nothing as on update to t do instead nothing",
    )

    assert found["c"].outcome == "refused"
    assert pg.execute("select is_called from s").fetchone() == (False,)


def test_the_database_is_left_as_it_was(pg: Connection) -> None:
    """Rows, definitions, sequences and settings are the same after the attempts as before."""
    pg.execute(
        "create table p (id int generated always as identity primary key, code text unique);"
        "create table t (id serial primary key, p int references p, a int check (a > 0), b int unique,"
        "during int4range,"
        "exclude using gist (during with &&), unique (id, b));"
        "insert into p (code) values ('x'), ('y');"
        "insert into t (p, a, b) values (1, 1, 1), (2, 2, null);"
        "create table e (like t including all)"
    )
    before = catalog_digest(pg), data_digest(pg), pg.execute("show session_replication_role").fetchone()

    assert {one.outcome for one in attempt_constraints(pg, reflect(pg))} == {"refused"}

    after = catalog_digest(pg), data_digest(pg), pg.execute("show session_replication_role").fetchone()
    assert after == before
    assert pg.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE


def test_the_limit_names_the_rest(pg: Connection) -> None:
    """What the time was too short for is named as not tried, with that reason."""
    pg.execute("create table t (id int primary key, a int check (a > 0))")

    found = attempt_constraints(pg, reflect(pg), limit_s=0)

    assert {one.outcome for one in found} == {"not tried"}
    assert {one.reason for one in found} == {"the limit of 0 s was reached before it"}


def test_a_check_that_never_returns_is_cut_off(pg: Connection) -> None:
    """A check whose function sleeps is left untried; the others of its table are tried."""
    pg.execute(
        "create function slow(int) returns boolean language sql as"
        " 'select $1 < 1000000 or pg_sleep(60) is not null';"
        "create table t (a int, constraint sleepy check (slow(a)), b int, constraint swift check (b > 0));"
        "insert into t values (1, 1)"
    )

    found = {one.constraint: one for one in attempt_constraints(pg, reflect(pg), limit_s=2)}

    assert found["swift"].outcome == "refused"
    assert found["sleepy"].outcome == "not tried"
    assert "timeout" in found["sleepy"].reason


def test_a_role_without_the_right_to_try_is_told(server: Server, database: str, pg: Connection) -> None:
    """Only a superuser can put the triggers to rest: another role gets one line that says so."""
    role = f"wb_nobody_{database[-8:]}"
    pg.execute(f"create role {role} login")
    try:
        with (
            server.session(database, user=role) as conn,
            pytest.raises(FeatureUnavailable, match="superuser"),
        ):
            attempt_constraints(conn, reflect(conn))
    finally:
        pg.execute(f"drop role {role}")


def test_an_empty_database_has_nothing_to_try(pg: Connection) -> None:
    """Without tables there is nothing to try and nothing to sum up."""
    assert attempt_constraints(pg, reflect(pg)) == []
    assert constraint_summary([]) == []


def test_the_summary_counts_each_kind(pg: Connection) -> None:
    """Per kind: declared, tried, refused, accepted and not tried, which add up."""
    pg.execute(
        "create table t (id int primary key, a int check (a > 0), check (id = id or id is null),"
        "constraint loose check (a < 9) not enforced)"
    )

    rows = {row["kind"]: row for row in constraint_summary(attempt_constraints(pg, reflect(pg)))}

    assert rows["check"] == {
        "kind": "check", "declared": 3, "tried": 2, "refused": 1, "accepted": 1, "not_tried": 1,
    }  # fmt: skip
    assert list(rows) == ["primary key", "check", "not null"]
