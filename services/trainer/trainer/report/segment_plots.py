"""Plots of segments: the choice of their number, and a map of their members."""

from typing import Any

from trainer.report.cluster_count_plot import draw_choice
from trainer.report.model import SegmentMap
from trainer.report.svg import COLOURS, figure_of

_KINDS = {"movies": "films", "users": "viewers"}
_NAMED = 10
"""Segments with a colour and a name in the legend; the others are grey."""


def segment_figures(segment_map: SegmentMap) -> dict[str, str]:
    """Return the SVG of each plot of a kind of segments, by title."""
    kind = _KINDS.get(segment_map.kind, segment_map.kind)
    choice = segment_map.choice
    figures = {}
    if choice.get("curves"):
        title = f"Number of segments of {kind}: {choice['k']} ({choice['reason']})"
        figures[title] = figure_of(lambda figure: draw_choice(figure, choice), (10, 4.6))
    if any(marker.places for marker in segment_map.markers):
        title = f"Segments of {kind}, in the plane of the two largest principal components"
        figures[title] = figure_of(lambda figure: draw_map(figure, segment_map), (10, 5))
    return figures


def draw_map(figure: Any, segment_map: SegmentMap) -> None:
    """Draw the members of all segments; the largest segments have colours, the others are grey."""
    axes = figure.subplots()
    by_size = sorted(segment_map.markers, key=lambda marker: -marker.size)
    for i, marker in reversed(list(enumerate(by_size))):
        if not marker.places:
            continue
        named = i < _NAMED
        axes.scatter(
            *zip(*marker.places, strict=True),
            s=14,
            alpha=0.7,
            linewidths=0,
            color=COLOURS[i] if named else "#c3c8d4",
            label=f"{marker.name} ({marker.size})" if named else None,
            zorder=3 if named else 2,
        )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right", frameon=False, markerscale=2)
