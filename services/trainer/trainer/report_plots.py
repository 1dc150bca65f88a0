"""The plots of a report, as SVG that a page holds in itself; equal reports give equal plots."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from trainer.report import OURS, POPULARITY, Point, Report

_SETTINGS: Any = {
    "svg.hashsalt": "marquee",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d5d9e2",
    "axes.prop_cycle": "cycler('color', ['#b3261e', '#5b6478', '#1f6feb', '#2e7d32'])",
}


def plots(report: Report) -> dict[str, str]:
    """Return the SVG of each plot that a report has figures for, by title."""
    found = {}
    if report.by_ratings:
        title = "NDCG@10 by how many ratings of a viewer are known"
        found[title] = _by_ratings(report.by_ratings)
    for name, epochs in report.curves.items():
        found[f"Learning curves of the {name} model"] = _curves(epochs)
    return found


def _by_ratings(points: Sequence[Point]) -> str:
    def draw(axes: Any) -> None:
        ratings = [point.ratings for point in points]
        axes.plot(ratings, [point.ours for point in points], marker="o", label=OURS)
        popular = [point.popularity for point in points]
        axes.plot(ratings, popular, marker="o", linestyle="--", label=POPULARITY)
        axes.set_xlabel("ratings given")
        axes.set_ylabel("NDCG@10")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)

    return _figure(draw)


def _curves(epochs: Sequence[Mapping[str, float]]) -> str:
    def draw(axes: Any) -> None:
        for key in epochs[0]:
            axes.plot([epoch.get(key) for epoch in epochs], label=key)
        axes.set_xlabel("epoch")
        axes.legend(frameon=False)

    return _figure(draw)


def _figure(draw: Any) -> str:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(7.5, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
