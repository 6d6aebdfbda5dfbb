"""What pairs of runs say, and digests of rows: no server is needed to tell."""

from __future__ import annotations

import pytest

from workbench.proof.trials.fingerprint import RowDigest, left_open_by
from workbench.proof.trials.ratios import outcome, ratio, surely_slower, undecided
from workbench.proof.trials.runs import CannotRun, bound
from workbench.proof.workload.model import Statement


def judged(without_ms: list[float], with_ms: list[float]) -> str:
    found = ratio(without_ms, with_ms)
    assert found is not None
    return outcome(found, without_ms, with_ms)


def test_a_ratio_is_the_median_of_pairs_with_the_interval_of_the_sign_test() -> None:
    """Five pairs give their range at 93.75 %, eight leave out the outermost ones at 93 %."""
    five = ratio([10, 10, 10, 10, 10], [9, 12, 11, 10, 13])
    eight = ratio([10] * 8, [8, 9, 10, 11, 12, 13, 14, 30])

    assert five is not None and (five.value, five.low, five.high, five.confidence) == (1.1, 0.9, 1.3, 0.9375)
    assert eight is not None and (eight.low, eight.high) == (0.9, 1.4)
    assert eight.confidence == pytest.approx(1 - 2 * 9 / 256)
    assert ratio([], []) is None


def test_times_that_do_not_overlap_need_fewer_pairs() -> None:
    """Three pairs apart from each other are sure to 90 %, by the rank sum test; overlapping ones are not."""
    apart = ratio([10, 11, 12], [1, 2, 3])
    mixed = ratio([10, 11, 2], [1, 2, 3])

    assert apart is not None and apart.confidence == pytest.approx(0.9)
    assert mixed is not None and mixed.confidence == pytest.approx(0.75)
    assert judged([10, 11, 12], [1, 2, 3]) == "faster"


def test_slower_takes_a_fifth_and_more_than_chance() -> None:
    """1.2 times in all pairs is slower, 1.19 is not, and of five noisy pairs nothing is said for certain."""
    assert judged([10] * 8, [12.5] * 8) == "slower"
    assert judged([10] * 8, [11.9] * 8) == "no difference"
    assert judged([10, 10, 10, 10, 10], [9.9, 14, 13, 14, 13]) == "perhaps slower"
    assert judged([10, 14, 10, 14, 10], [13, 15, 13, 15, 13]) == "perhaps slower"
    assert not surely_slower([], [])


def test_noise_alone_is_hardly_ever_slower() -> None:
    """Of 7 pairs of 8 no verdict is made, of 8 of 8, 11 of 12 and 16 of 20 one is."""

    def pairs(slower: int, count: int) -> tuple[list[float], list[float]]:
        return [10.0, *[5.0] * (count - 1)], [20.0 if n < slower else 1.0 for n in range(count)]

    assert not surely_slower(*pairs(7, 8))
    assert all(surely_slower(*pairs(*each)) for each in ((8, 8), (11, 12), (16, 20)))
    assert not surely_slower(*pairs(15, 20))


def test_differences_below_the_resolution_are_none() -> None:
    """Ten microseconds are not told apart, whatever the ratio, and no more runs are asked for."""
    without, with_change = [0.010] * 5, [0.020] * 5
    found = ratio(without, with_change)

    assert judged(without, with_change) == "no difference"
    assert found is not None and not undecided(found, without, with_change)


def test_more_runs_are_asked_for_only_where_they_could_tell() -> None:
    """Where the ratio is near 1, or sure, no more runs are needed; off by a tenth and unsure, they are."""
    for without, with_change, expected in (
        ([10.0] * 5, [10.5] * 5, False),
        ([10.0] * 5, [2.0] * 5, False),
        ([10.0] * 5, [9.0, 8.0, 8.0, 11.0, 8.0], True),
        ([10.0, 15.0] * 2, [13.0, 14.0, 13.0, 19.0], True),
    ):
        found = ratio(without, with_change)
        assert found is not None and undecided(found, without, with_change) is expected


def digest(*parts: bytes) -> RowDigest:
    found = RowDigest()
    for part in parts:
        found.write(part)
    return found


def test_a_digest_knows_rows_whatever_their_order_and_their_parts() -> None:
    """The multiset ignores the order and counts repetitions; parts may end anywhere in a row."""
    one, other = digest(b"a\nb\nb\n"), digest(b"b\n", b"a", b"\nb\n")

    assert one.multiset == other.multiset and one.ordered != other.ordered
    assert digest(b"a\nb\n").multiset != one.multiset
    assert digest(b"a\nb", b"\nb\n").ordered == one.ordered
    assert (one.rows, digest().rows) == (3, 0)


def test_what_leaves_the_rows_open_is_named() -> None:
    """A LIMIT, DISTINCT ON, the time and functions of the order leave rows open; a plain query does not."""
    assert left_open_by("select a, count(*) from t where b = 1 group by a order by a") == ()
    assert left_open_by("select distinct a from t") == ()
    for query, word in (
        ("select a from t limit 3", "LIMIT"),
        ("select distinct on (a) a, b from t", "DISTINCT ON"),
        ("select now()", "now()"),
        ("select current_date", "current time"),
        ("select array_agg(a) from t", "array_agg()"),
    ):
        assert word in left_open_by(query)[0]
    assert left_open_by("not a query") == ()


def test_values_take_the_place_of_parameters_and_of_nothing_else() -> None:
    """``$1`` in a text, in a comment or in a name stays, and a missing value is named."""
    query = "select 'ä $1', \"$2\" /* $1 */ from t where a = $2 and b = $1 and c = $10"
    values = tuple(f"'v{n}'" for n in range(1, 11))

    assert bound(Statement("s", query, "select", values=values)) == (
        "select 'ä $1', \"$2\" /* $1 */ from t where a = ('v2') and b = ('v1') and c = ('v10')"
    )
    assert bound(Statement("s", "select 1", "select", values=None)) == "select 1"
    with pytest.raises(CannotRun, match=r"parameter \$2"):
        bound(Statement("s", "select $1, $2", "select", values=("1",)))
