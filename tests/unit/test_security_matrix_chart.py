"""The attack matrix as a picture says the same as the attempts, in marks and in words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from workbench.areas.security.attacks.model import AttackRun, Attempt
from workbench.areas.security.attacks.run import attempts_table, leaks
from workbench.areas.security.charts import attack_matrix

SVG = "{http://www.w3.org/2000/svg}"


def _attempt(
    operation="select", *, table=("s", "t"), role="r", declared="refused", observed="refused", **more
):
    fits = (declared == "allowed") == (observed in ("reached", "stopped"))
    key = f"{role}/{table}/{operation}/{declared}"
    return Attempt(
        key, "matrix", "A", operation, role, more.pop("identity", ""), "select 1", declared, observed,
        more.pop("as_declared", fits), table=table, operation=operation, row="any", **more,
    )  # fmt: skip


def _run(*attempts, design="hardened"):
    others = (_attempt("connect", table=None, role=each.role) for each in attempts)
    copies = (_attempt("copy to", table=each.table, role=each.role) for each in attempts if each.table)
    return AttackRun(design, "PostgreSQL 18", (*attempts, *copies, *others), 1.0)


def _cells(svg):
    """What is drawn beside the legend, by its look."""
    root = ElementTree.fromstring(svg)
    drawn = [each.get("href").removeprefix("#attack-") for each in root.iter(f"{SVG}use")]
    return drawn[: len(drawn) - len({re.sub("[siud-]$", "", each) for each in drawn})]


def test_each_end_has_its_own_mark():
    """Allowed, refused, leak and missing are told apart by a letter or a mark, not by colour alone."""
    svg = attack_matrix(
        _run(
            _attempt("select", declared="allowed", observed="reached"),
            _attempt("insert"),
            _attempt("update", observed="reached", detail="3 rows"),
            _attempt("delete", declared="allowed", observed="refused"),
        )
    )

    assert _cells(svg)[:4] == ["alloweds", "refused", "leak", "missing"]
    marks = {each.get("id"): "".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}g")}
    assert [marks[f"attack-{each}"] for each in ("alloweds", "refused", "leak", "missing")] == [
        "s",
        "·",
        "!",
        "x",
    ]
    assert "3 rows" in svg  # the tip of the leak says what happened


def test_allowed_in_part_is_not_allowed():
    """Where some rows are declared refused and are, the cell says that the operation is allowed in part."""
    svg = attack_matrix(_run(_attempt(declared="allowed", observed="reached"), _attempt()))

    assert _cells(svg)[0] == "parts"


def test_what_stands_beside_an_operation_counts_where_it_leaks():
    """TRUNCATE shows in the cell of delete where it works, and not where it is refused."""
    leaking = _run(_attempt("delete"), _attempt("truncate", observed="reached"))
    right = _run(_attempt("delete"), _attempt("truncate"))

    assert "leak" in _cells(attack_matrix(leaking))
    assert "leak" not in _cells(attack_matrix(right))


def test_a_surplus_of_rows_is_a_leak_and_a_lack_is_missing():
    """Of an allowed statement more rows than declared are a leak, fewer are missing."""
    more = _attempt(declared="allowed", observed="reached", as_declared=False, rows=9, declared_rows=2)
    fewer = _attempt(declared="allowed", observed="reached", as_declared=False, rows=1, declared_rows=2)

    assert (more.leak, more.missing) == (True, False)
    assert (fewer.leak, fewer.missing) == (False, True)
    assert leaks(_run(more, fewer)) == [more]


def test_names_are_escaped():
    """A name with quotes and HTML is text in the picture."""
    svg = attack_matrix(_run(_attempt(table=("s", '<script>"a"&\''), role="<b>'r'</b>", observed="reached")))

    texts = ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert "<b>'r'</b>" in texts
    assert any("<script>" in each for each in texts)


def test_of_many_tables_and_roles_those_with_differences_are_drawn():
    """Of 1,000 tables and 30 roles a page is drawn, what differs first, and the picture says so."""
    attempts = [
        _attempt(table=("s", f"t{table:04}"), role=f"role_{role:02}")
        for table in range(1000)
        for role in range(30)
    ]
    svg = attack_matrix(
        _run(*attempts, _attempt("delete", table=("s", "t0777"), role="role_29", observed="reached"))
    )

    texts = ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert "s.t0777" in texts and "role_29" in texts
    assert "40 of 1,001 rows are drawn, those with differences first." in texts
    assert "16 of 30 roles are drawn, those with differences first." in texts
    assert len(svg) < 400_000


def test_two_designs_stand_side_by_side():
    """The naive design is drawn beside the hardened one, each with its sums, and the words say the same."""
    svg = attack_matrix(_run(_attempt(observed="reached"), design="naive"), _run(_attempt()))

    description = ElementTree.fromstring(svg).findtext(f"{SVG}desc")
    assert (
        description == "naive: 1 leak, 0 missing in 3 attempts. hardened: 0 leaks, 0 missing in 3 attempts."
    )


def test_nothing_tried_is_an_empty_picture():
    """A run without attempts is drawn, too."""
    assert ElementTree.fromstring(attack_matrix(AttackRun("hardened", "PostgreSQL 18", (), 0.0))) is not None


def test_the_table_says_who_tried_what():
    """Each attempt is a row with its role, what was declared and the server's words."""
    table = attempts_table(
        [_attempt(observed="refused", sqlstate="42501", detail="permission denied", identity="A")]
    )

    assert table.to_dict("records") == [
        {
            "tried": "select", "object": "s.t", "role": "r", "for": "A", "declared": "refused",
            "observed": "refused", "said": "42501 permission denied", "as declared": True,
        }
    ]  # fmt: skip
