"""Plots of the trade-off between accuracy and diversity, and of the ablation."""

from typing import Any

import numpy as np

from trainer.report.model import Ablation, Report

_PANELS = (
    ("ndcg_at_10", "NDCG@10"),
    ("coverage", "coverage, share of the films"),
    ("diversity", "diversity within a list"),
    ("novelty", "novelty, bits"),
)

_LINES = 6


def draw_trade_off(figure: Any, report: Report) -> None:
    """Draw metrics by setting of diversity, a line a slice; a cross is the bar, without a setting.

    At most six slices of the leading protocol are drawn, from few ratings to many.
    """
    measured = [row for row in report.leading if row.trade_off]
    chosen = np.linspace(0, len(measured) - 1, min(_LINES, len(measured))).round().astype(int)
    axes = figure.subplots(2, 2)
    for panel, (field, title) in zip(axes.ravel(), _PANELS, strict=True):
        for i, row in enumerate(measured[index] for index in chosen):
            settings = [point.setting for point in row.trade_off]
            values = [getattr(point, field) for point in row.trade_off]
            panel.plot(settings, values, marker=".", color=f"C{i}", label=row.name)
            if (bar := row.of(row.best)) is not None:
                panel.plot([-0.04], [getattr(bar, field)], marker="x", color=f"C{i}")
        panel.set_title(title, fontsize="medium")
        panel.set_xlabel("setting (× left of 0: the bar)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right", frameon=False)


def draw_ablation(figure: Any, report: Report) -> None:
    """Draw a panel a model and a bar a signal: the change of NDCG@10 without it.

    Each panel has its own scale: one signal may matter ten times as much as any other.
    """
    by_model: dict[str, list[Ablation]] = {}
    for row in report.ablation:
        by_model.setdefault(row.model, []).append(row)
    panels = figure.subplots(1, len(by_model), squeeze=False)[0]
    for panel, (model, parts) in zip(panels, by_model.items(), strict=True):
        names = [part.signal for part in parts][::-1]
        changes = [part.over_whole for part in parts][::-1]
        errors = [
            [change.mean - change.low for change in changes],
            [change.high - change.mean for change in changes],
        ]
        means = [change.mean for change in changes]
        panel.barh(names, means, xerr=errors, color="#1f6feb", alpha=0.7)
        panel.axvline(0, color="#1c2230", linewidth=1)
        panel.locator_params(axis="x", nbins=3)
        panel.set_title(model, fontsize="medium")
