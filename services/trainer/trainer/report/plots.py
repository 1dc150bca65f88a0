"""Plots of a report as SVG to embed in a page; equal reports give equal plots."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainer.report.model import OURS, POPULARITY, Protocol, RatingCountPoint, Report
from trainer.report.segment_plots import segment_figures
from trainer.report.svg import figure_of
from trainer.report.trade_off_plots import draw_ablation, draw_trade_off


def plots(report: Report) -> dict[str, str]:
    """Return the SVG of each plot that a report has data for, by title."""
    svgs = {}
    if report.by_ratings:
        title = "NDCG@10 by how many ratings of a viewer are known"
        svgs[title] = _by_ratings(report.by_ratings)
    if any(row.trade_off for row in report.leading):
        svgs["What the setting of diversity brings and costs, by ratings given"] = figure_of(
            lambda figure: draw_trade_off(figure, report), (10, 5.6)
        )
    if report.ablation:
        title = f"NDCG@10 of a model without a part, less the whole model, of {OURS}"
        svgs[title] = figure_of(lambda figure: draw_ablation(figure, report), (10, 3.6))
    for name, epochs in report.curves.items():
        svgs[f"Learning curves of the {name} model"] = _curves(epochs)
    for segment_map in report.segments:
        svgs |= segment_figures(segment_map)
    return svgs


def _by_ratings(points: Sequence[RatingCountPoint]) -> str:
    """Return a panel an order, in time and at random, with a line a recommender."""
    panels = {
        "first ratings in time": [p for p in points if p.protocol is Protocol.FIRST],
        "random ratings": [p for p in points if p.protocol is Protocol.RANDOM],
    }
    drawn = {label: own for label, own in panels.items() if own}

    def draw(figure: Any) -> None:
        all_axes = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
        for axes, (label, own) in zip(all_axes, drawn.items(), strict=True):
            ratings = [point.ratings for point in own]
            axes.plot(ratings, [point.ours for point in own], marker="o", label=OURS)
            best = [point.best for point in own]
            axes.plot(ratings, best, marker="s", linestyle=":", label="best rival")
            popularity = [point.popularity for point in own]
            axes.plot(ratings, popularity, marker="^", linestyle="--", label=POPULARITY)
            axes.set_xlabel(label)
            axes.set_xlim(left=0)
        all_axes[0].set_ylim(bottom=0)  # of both: after all is drawn, so that nothing is cut off
        all_axes[0].set_ylabel("NDCG@10")
        all_axes[0].legend(frameon=False)

    return figure_of(draw, (4.5 + 4 * (len(drawn) - 1), 3.6))


def _curves(epochs: Sequence[Mapping[str, float]]) -> str:
    def draw(axes: Any) -> None:
        for key in epochs[0]:
            axes.plot([epoch.get(key) for epoch in epochs], label=key)
        axes.set_xlabel("epoch")
        axes.legend(frameon=False)

    return _axes(draw)


def _axes(draw: Callable[[Any], None]) -> str:
    return figure_of(lambda figure: draw(figure.subplots()), (7.5, 3.6))
