"""docs/quality.md: a report as a document of the repository, with what its figures mean."""

from trainer.report import Report
from trainer.report_pages import markdown

_INTRODUCTION = """\
# Quality

This page is written by `marquee evaluate --docs docs/quality.md`; edit the command's code, not the
page. It rests on the data set `{data}`, the code at `{code}`, and the seed {seed}.

## How it is measured

**Users who are new to the models.** All ratings of a test user are left out of the training
(strong generalization, Liang et al. 2018). Then some of his ratings are shown, as a session
would show them, and the models answer as their services do: they are fitted, saved, loaded and
asked. What counts is where his other liked films, those of more than 3.5 stars, are in the
list. The route is the one that the gateway would take, so a row of the table may be answered by
several.

**By time.** In one more split everything after a cut is hidden, and viewers are asked for what
they liked later.

**Rivals.** Popularity, ItemKNN, ALS and EASE get the same data, are mixed with popularity, and
are tuned anew in each split on validation users, each slice for itself. The best of them is the
bar.

**How sure.** Differences are paired by user; the intervals are 95 % of 2,000 bootstraps over
users. Recall@20 is over min(20, relevant films); coverage is the share of the catalogue in any
list of ten.

**What decides.** A training measures one fold, and a new version that gains less over
popularity than the serving one by more than the margin is not published.

"""


def document(report: Report) -> str:
    """Return the report in Markdown under an explanation of what was measured."""
    introduction = _INTRODUCTION.format(
        data=report.data_version[:12], code=report.code_version, seed=report.seed
    )
    body = markdown(report).removeprefix("# Quality\n").lstrip()
    return f"{introduction}## What was found\n\n{body.replace('## ', '### ')}"
