"""Plots of a report as SVG to embed in a page; equal reports give equal plots."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainer.report.model import OURS, POPULARITY, RatingCountPoint, Report
from trainer.report.segment_plots import segment_figures
from trainer.report.svg import figure_of
from trainer.report.trade_off_plots import draw_ablation, draw_trade_off


def plots(report: Report) -> dict[str, str]:
    """Return the SVG of each plot that a report has data for, by title."""
    svgs = {}
    if report.by_ratings:
        title = "NDCG@10 by how many ratings of a viewer are known"
        svgs[title] = _by_ratings(report.by_ratings)
    if any(row.trade_off for row in report.slices):
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
    def draw(axes: Any) -> None:
        ratings = [point.ratings for point in points]
        axes.plot(ratings, [point.ours for point in points], marker="o", label=OURS)
        popularity = [point.popularity for point in points]
        axes.plot(ratings, popularity, marker="o", linestyle="--", label=POPULARITY)
        axes.set_xlabel("ratings given")
        axes.set_ylabel("NDCG@10")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)

    return _axes(draw)


def _curves(epochs: Sequence[Mapping[str, float]]) -> str:
    def draw(axes: Any) -> None:
        for key in epochs[0]:
            axes.plot([epoch.get(key) for epoch in epochs], label=key)
        axes.set_xlabel("epoch")
        axes.legend(frameon=False)

    return _axes(draw)


def _axes(draw: Callable[[Any], None]) -> str:
    return figure_of(lambda figure: draw(figure.subplots()), (7.5, 3.6))
