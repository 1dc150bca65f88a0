"""Segments in a report: how their number was chosen, and where their members lie."""

from typing import Any

from trainer.report.cluster_count_plot import draw_choice
from trainer.report.model import SegmentMap
from trainer.report.svg import COLOURS, figure_of

_KINDS = {"movies": "films", "users": "viewers"}
_NAMED = 10
"""Segments with a colour and a name in the legend; the others are grey."""


def segment_figures(found: SegmentMap) -> dict[str, str]:
    """Return the SVG of each plot of a kind of segments, by title."""
    kind, choice = _KINDS.get(found.kind, found.kind), found.choice
    figures = {}
    if choice.get("curves"):
        title = f"Number of segments of {kind}: {choice['k']} ({choice['reason']})"
        figures[title] = figure_of(lambda figure: draw_choice(figure, choice), (10, 4.6))
    if any(marker.places for marker in found.markers):
        title = f"Segments of {kind}, in the plane of the two largest principal components"
        figures[title] = figure_of(lambda figure: draw_map(figure, found), (10, 5))
    return figures


def draw_map(figure: Any, found: SegmentMap) -> None:
    """Draw the members of all segments, the largest segments in colours of their own."""
    axes = figure.subplots()
    largest = sorted(found.markers, key=lambda one: -one.size)
    for i, one in reversed(list(enumerate(largest))):
        if not one.places:
            continue
        named = i < _NAMED
        axes.scatter(
            *zip(*one.places, strict=True),
            s=14,
            alpha=0.7,
            linewidths=0,
            color=COLOURS[i] if named else "#c3c8d4",
            label=f"{one.name} ({one.size})" if named else None,
            zorder=3 if named else 2,
        )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right", frameon=False, markerscale=2)
