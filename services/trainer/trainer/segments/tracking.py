"""The choice of the number of segments in MLflow: each method's curve, and a plot of them all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marquee.arrays import load_json
from trainer.report.cluster_count_plot import draw_choice
from trainer.tracking.mlflow import Tracking

KINDS = ("movies", "users")


def track_segments(tracking: Tracking, name: str, bundle: Path, folder: Path) -> None:
    """Tell of the choices that a bundle describes, if it has segments: metrics whose step is the
    number of clusters, and a plot a kind, drawn in `folder`."""
    if not (bundle / "segments.json").is_file():
        return
    about = load_json(bundle / "segments.json")
    for kind in KINDS:
        choice = about[kind]["choice"]
        tracking.add_metrics(name, _figures(kind, about[kind]))
        if not choice["curves"]:
            continue
        for at, k in enumerate(choice["ks"]):
            values = {method: curve[at] for method, curve in choice["curves"].items()}
            known = {f"{kind}_k/{m}": v for m, v in values.items() if v is not None}
            tracking.epoch(name, k, known)
        path = folder / f"segments-{kind}.png"
        plot(choice, f"Number of segments of {kind}: {choice['k']} ({choice['reason']})", path)
        tracking.add_file(name, path)
        path.unlink()


def plot(choice: Mapping[str, Any], title: str, path: Path) -> None:
    """Draw each method's curve, its vote, and the number chosen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    draw_choice(figure, choice)
    figure.suptitle(f"{title}\ndotted: what a method votes for; green: the number chosen")
    figure.savefig(path, dpi=100)


def _figures(kind: str, about: Mapping[str, Any]) -> dict[str, float]:
    choice = about["choice"]
    figures = {
        f"{kind}_segments": float(choice["k"]),
        f"{kind}_structure": float(choice["structure"]),
    }
    votes = {f"{kind}_k_voted/{method}": float(k) for method, k in (choice["votes"] or {}).items()}
    errors = {f"segments_{key}": float(about[key]) for key in about if key.endswith("_error")}
    return figures | votes | errors
