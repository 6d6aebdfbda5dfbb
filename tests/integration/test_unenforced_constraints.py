"""A constraint that the database does not enforce becomes a finding, with a fix that is tried."""

from __future__ import annotations

from workbench.areas.oltp.enforcement import unenforced_constraints
from workbench.catalog.digest import catalog_digest
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection
from workbench.proof.constraints import attempt_constraints
from workbench.proof.findings import Finding

ASLEEP = """
create table p (id int primary key);
create table "T" (a int, p int constraint "k'1" references p);
do $$ declare name text; begin
  for name in select tgname from pg_trigger where tgrelid = '"T"'::regclass loop
    execute format('alter table "T" disable trigger %I', name);
  end loop;
end $$;
"""


def findings(pg: Connection) -> list[Finding]:
    catalog = reflect(pg)
    return unenforced_constraints(pg, catalog, attempt_constraints(pg, catalog), engine="PostgreSQL, tested")


def test_a_key_whose_triggers_are_disabled_is_an_error(pg: Connection) -> None:
    """The finding bears the accepted statement, and a fix after which the same attempt is refused."""
    pg.execute(ASLEEP)
    before = catalog_digest(pg)

    (found,) = findings(pg)

    assert (found.area, found.check, found.severity) == ("oltp", "constraint_not_enforced", "error")
    assert found.object == 'public."T"."k\'1"'
    assert "its triggers are disabled" in found.why or "triggers that check it are disabled" in found.why
    assert found.verified and [one.kind for one in found.evidence] == ["attempt", "fix-closes-finding"]
    assert catalog_digest(pg) == before


def test_the_fix_closes_the_finding(pg: Connection) -> None:
    """Once the fix has run there is no finding; a check and a key NOT ENFORCED are put in force as well."""
    pg.execute(
        ASLEEP + "create table q (a int constraint c check (a > 0) not enforced,"
        "b int constraint k references p not enforced); insert into q values (1, null)"
    )
    found = findings(pg)

    assert len(found) == 3 and all(one.verified for one in found)
    for one in found:
        pg.execute(one.fix)
    assert findings(pg) == []


def test_a_fix_that_rows_stand_against_is_not_called_proved(pg: Connection) -> None:
    """Where rows violate the constraint the fix fails: the finding is not verified and says why."""
    pg.execute("create table t (a int constraint c check (a > 0) not enforced); insert into t values (-1)")

    (found,) = findings(pg)

    assert not found.verified
    assert "is violated by some row" in found.unverified_because


def test_constraints_in_force_give_no_finding(pg: Connection) -> None:
    """A constraint NOT VALID refuses new rows: it is in force."""
    pg.execute(
        "create table t (a int); insert into t values (-1);"
        "alter table t add constraint c check (a > 0) not valid"
    )

    assert findings(pg) == []
