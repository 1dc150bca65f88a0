"""How the number of clusters was chosen, as a figure: each method's curve, its vote, the choice."""

from collections.abc import Mapping
from typing import Any

_COLUMNS = 4


def draw_choice(figure: Any, choice: Mapping[str, Any]) -> None:
    """Draw a panel a method: its curve, where it votes (dotted), the number chosen (wide)."""
    axes = figure.subplots(2, _COLUMNS).ravel()
    for one in axes[len(choice["curves"]) :]:
        one.set_axis_off()
    for one, (method, curve) in zip(axes, sorted(choice["curves"].items()), strict=False):
        points = [(k, v) for k, v in zip(choice["ks"], curve, strict=True) if v is not None]
        one.plot(*zip(*points, strict=True), marker=".", color="#1f6feb")
        one.axvline(choice["votes"][method], linestyle=":", color="#b3261e")
        one.axvline(choice["k"], color="#2e7d32", alpha=0.35, linewidth=3)
        one.set_title(f"{method}: {choice['votes'][method]}", fontsize="medium")
