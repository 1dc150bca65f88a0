"""Plot of the choice of the number of clusters: the curve and the vote of each method."""

from collections.abc import Mapping
from typing import Any

_COLUMNS = 4


def draw_choice(figure: Any, choice: Mapping[str, Any]) -> None:
    """Draw a panel a method: its curve, its vote (dotted) and the number chosen (wide line)."""
    axes = figure.subplots(2, _COLUMNS).ravel()
    for unused in axes[len(choice["curves"]) :]:
        unused.set_axis_off()
    for panel, (method, curve) in zip(axes, sorted(choice["curves"].items()), strict=False):
        points = [(k, v) for k, v in zip(choice["ks"], curve, strict=True) if v is not None]
        panel.plot(*zip(*points, strict=True), marker=".", color="#1f6feb")
        panel.axvline(choice["votes"][method], linestyle=":", color="#b3261e")
        panel.axvline(choice["k"], color="#2e7d32", alpha=0.35, linewidth=3)
        panel.set_title(f"{method}: {choice['votes'][method]}", fontsize="medium")
