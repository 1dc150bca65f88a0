"""Plots of the trade-off between good lists and broad ones, and of the ablation."""

from typing import Any

import numpy as np

from trainer.report.model import BY_TIME, Ablation, Report

_PANELS = (
    ("ndcg_at_10", "NDCG@10"),
    ("coverage", "coverage, share of the films"),
    ("diversity", "diversity within a list"),
    ("novelty", "novelty, bits"),
)

_LINES = 6


def draw_trade_off(figure: Any, report: Report) -> None:
    """Draw what lists are at each setting, a line a slice (six at most, from few ratings to many);
    a cross is the bar, which has no setting."""
    measured = [one for one in report.slices if one.trade_off and one.name != BY_TIME]
    chosen = np.linspace(0, len(measured) - 1, min(_LINES, len(measured))).round().astype(int)
    axes = figure.subplots(2, 2)
    for panel, (field, title) in zip(axes.ravel(), _PANELS, strict=True):
        for i, one in enumerate(measured[at] for at in chosen):
            settings = [point.setting for point in one.trade_off]
            values = [getattr(point, field) for point in one.trade_off]
            panel.plot(settings, values, marker=".", color=f"C{i}", label=one.name)
            if (bar := one.of(one.best)) is not None:
                panel.plot([-0.04], [getattr(bar, field)], marker="x", color=f"C{i}")
        panel.set_title(title, fontsize="medium")
        panel.set_xlabel("setting (× left of 0: the bar)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right", frameon=False)


def draw_ablation(figure: Any, report: Report) -> None:
    """Draw a panel a model, a bar a part: how much worse (left of 0) the model is without it.

    Each panel has a scale of its own: one part may matter ten times as much as any other.
    """
    by_model: dict[str, list[Ablation]] = {}
    for one in report.ablation:
        by_model.setdefault(one.model, []).append(one)
    panels = figure.subplots(1, len(by_model), squeeze=False)[0]
    for panel, (model, parts) in zip(panels, by_model.items(), strict=True):
        names = [part.signal for part in parts][::-1]
        found = [part.over_whole for part in parts][::-1]
        reach = [
            [one.mean - one.low for one in found],
            [one.high - one.mean for one in found],
        ]
        panel.barh(names, [one.mean for one in found], xerr=reach, color="#1f6feb", alpha=0.7)
        panel.axvline(0, color="#1c2230", linewidth=1)
        panel.locator_params(axis="x", nbins=3)
        panel.set_title(model, fontsize="medium")
