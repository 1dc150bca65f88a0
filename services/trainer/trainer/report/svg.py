"""Matplotlib figures as SVG to embed in a page; equal data give equal text."""

import io
from collections.abc import Callable
from typing import Any

COLOURS = (
    "#b3261e",
    "#5b6478",
    "#1f6feb",
    "#2e7d32",
    "#b26a00",
    "#6a3fa0",
    "#00838f",
    "#ad1457",
    "#7a5c3e",
    "#9e9d24",
)

_SETTINGS: Any = {
    "svg.hashsalt": "marquee",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#d5d9e2",
    "axes.prop_cycle": f"cycler('color', {list(COLOURS)})",
}


def figure_of(draw: Callable[[Any], None], size: tuple[float, float]) -> str:
    """Return the SVG of a figure of `size` (width, height in inches) that `draw` fills."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
