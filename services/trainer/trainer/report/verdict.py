"""Verdict of a report: where Marquee falls below popularity, and below the best rival."""

from trainer.report.model import Report


def verdict(report: Report) -> str:
    """Return in a few sentences whether a route falls below popularity or the best rival."""
    parts = []
    if report.unusable_times:
        parts.append(
            f"The times of these data give no order ({report.unusable_times}): random fold-ins "
            "alone are measured."
        )
    parts.append(_over_popularity(report))
    behind = [
        f"{row.name} ({row.over_best.mean:+.3f})"
        for row in report.slices
        if row.over_best is not None and row.over_best.mean < 0
    ]
    if behind:
        parts.append(f"Below the best rival, in the mean, on: {', '.join(behind)}.")
    return " ".join(parts)


def _over_popularity(report: Report) -> str:
    if report.below:
        return f"Below popularity in NDCG@10 on: {', '.join(report.below)}."
    unmeasured = [row.name for row in report.slices if row.holds is None]
    if len(unmeasured) == len(report.slices):
        return "No slice was measured."
    note = f" Not measured: {', '.join(unmeasured)}." if unmeasured else ""
    return f"No route falls below popularity on its slice.{note}"
