"""The plots of a report and the document of the repository: what they show, and the same again."""

from trainer.report.model import Protocol, RatingCountPoint, Report
from trainer.report.plots import plots
from trainer.report.quality_doc import quality_document
from trainer.report.writers import html


def report(**parts: object) -> Report:
    values: dict[str, object] = {
        "data_version": "d" * 64,
        "code_version": "c0de",
        "users": 61,
        "films": 100,
        "splits": ("fold 0",),
        "seed": 1,
        "slices": (),
    }
    return Report.model_validate(values | parts)


POINTS = tuple(
    RatingCountPoint(ratings=n, users=60, ours=0.4, popularity=0.3, best=0.35, protocol=protocol)
    for protocol in (Protocol.FIRST, Protocol.RANDOM)
    for n in (1, 5, 50)
)
CURVES = {"neural": ({"loss": 1.0, "rmse": 0.9}, {"loss": 0.5, "rmse": 0.8})}


def test_a_report_without_figures_has_no_plots() -> None:
    assert plots(report()) == {}


def test_a_page_holds_a_plot_of_quality_by_ratings_and_one_of_each_curve() -> None:
    page = html(report(by_ratings=POINTS, curves=CURVES))
    assert page.count("<svg") == 2
    for words in ("by how many ratings", "Learning curves of the neural model", "rmse", "epoch"):
        assert words in page


def test_equal_reports_give_equal_plots() -> None:
    one = report(by_ratings=POINTS, curves=CURVES)
    assert plots(one) == plots(one.model_copy())


def test_the_document_explains_and_then_shows_the_figures() -> None:
    text = quality_document(report(by_ratings=POINTS))
    assert text.startswith("# Quality\n")
    assert text.index("How it is measured") < text.index(
        "| in time | 50 | 60 | 0.400 | 0.350 | 0.300 |"
    )
    assert text.count("\n# ") == 0
