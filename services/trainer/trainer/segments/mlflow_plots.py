"""Tracking of the choice of the number of segments in MLflow: curves and a plot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marquee.arrays import load_json
from trainer.report.cluster_count_plot import draw_choice
from trainer.tracking.mlflow import Tracking

KINDS = ("movies", "users")


def track_segments(tracking: Tracking, name: str, bundle: Path, folder: Path) -> None:
    """Track the choices that a bundle describes, if it has segments.

    Curves are metrics whose step is the number of clusters. The plot of each kind is drawn in
    `folder`, logged and deleted.
    """
    if not (bundle / "segments.json").is_file():
        return
    about = load_json(bundle / "segments.json")
    for kind in KINDS:
        choice = about[kind]["choice"]
        tracking.add_metrics(name, _metrics(kind, about[kind]))
        if not choice["curves"]:
            continue
        for i, k in enumerate(choice["ks"]):
            values = {method: curve[i] for method, curve in choice["curves"].items()}
            known = {f"{kind}_k/{m}": v for m, v in values.items() if v is not None}
            tracking.epoch(name, k, known)
        path = folder / f"segments-{kind}.png"
        plot(choice, f"Number of segments of {kind}: {choice['k']} ({choice['reason']})", path)
        tracking.add_file(name, path)
        path.unlink()


def plot(choice: Mapping[str, Any], title: str, path: Path) -> None:
    """Draw the curve and the vote of each method, and the number chosen, to a file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    draw_choice(figure, choice)
    figure.suptitle(f"{title}\ndotted: what a method votes for; green: the number chosen")
    figure.savefig(path, dpi=100)


def _metrics(kind: str, about: Mapping[str, Any]) -> dict[str, float]:
    choice = about["choice"]
    metrics = {
        f"{kind}_segments": float(choice["k"]),
        f"{kind}_structure": float(choice["structure"]),
    }
    votes = {f"{kind}_k_voted/{method}": float(k) for method, k in (choice["votes"] or {}).items()}
    errors = {f"segments_{key}": float(about[key]) for key in about if key.endswith("_error")}
    return metrics | votes | errors
