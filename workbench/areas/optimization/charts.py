"""Pictures of the advice: costs of statements, and how the search closed in."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.areas.optimization.advisor.search import Stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workbench.areas.optimization.indexes import Advised

_BEFORE, _AFTER, _BOUND = "#94a3b8", "#0f766e", "#b45309"
_MOST_BARS = 25
_LONGEST_NAME = 40


def _cost_figure(advised: Advised) -> Figure:
    """The weighted planner's cost of each statement without and with the set, the dearest first."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    ranked = sorted(advised.advice.statements, key=lambda each: -each.statement.weight * each.before)
    shown = ranked[:_MOST_BARS]
    figure = Figure(figsize=(8.5, 0.9 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    places = range(len(shown))
    before = [each.statement.weight * each.before for each in shown]
    after = [each.statement.weight * each.after for each in shown]
    axes.barh(places, before, height=0.8, color=_BEFORE, label="without")
    axes.barh(places, after, height=0.45, color=_AFTER, label="with the advised indexes")
    axes.set_yticks(places, [_short(each.statement.name) for each in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("weight times planner's cost")
    if len(ranked) > len(shown):
        axes.set_title(f"the {len(shown)} dearest of {len(ranked)} statements", fontsize=9)
    axes.legend(loc="lower right", fontsize=8, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def _search_figure(stages: Sequence[Stage]) -> Figure:
    """The best set so far and the bound, over the planner calls that they took."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 2.8), layout="constrained")
    axes = figure.subplots()
    calls = [each.calls for each in stages]
    axes.step(calls, [each.objective for each in stages], where="post", color=_AFTER, label="best set so far")
    axes.step(calls, [each.bound for each in stages], where="post", color=_BOUND, label="no set is below")
    axes.set_xlabel("planner calls")
    axes.set_ylabel("% of the cost now")
    axes.set_ylim(bottom=0)
    axes.legend(loc="best", fontsize=8, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def cost_chart(advised: Advised) -> str:
    """The weighted cost of each statement without and with the set, the dearest first, as SVG."""
    return _as_svg(_cost_figure(advised))


def search_chart(stages: Sequence[Stage]) -> str:
    """The best set so far and the bound, over the planner calls that they took, as SVG."""
    return _as_svg(_search_figure(stages))


def _as_svg(figure: Figure) -> str:
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()


def _short(name: str) -> str:
    # matplotlib reads what is between dollar signs as a formula
    plain = name.replace("$", r"\$")
    return plain if len(plain) <= _LONGEST_NAME else plain[: _LONGEST_NAME - 1] + "…"
