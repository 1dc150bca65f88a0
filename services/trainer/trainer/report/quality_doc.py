"""docs/reference/quality.md: a report as a document of the repository, with what its figures mean."""

from trainer.report.model import Report
from trainer.report.writers import markdown

_INTRODUCTION = """\
# Quality

This page is written by `marquee evaluate --docs docs/reference/quality.md`; edit the command's code, not the
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
bar. They see liked films alone, as they were published; our models see what was not liked as
well. How much of a margin is owed to that shows a second bar, which is no part of the first: EASE
whose columns are liked films and films that were not liked, tuned by the same budget.

**Validation beside test.** In the first folds all is also measured on the validation users, among
whom the rivals were tuned. A difference that is there and not here would be a choice that fitted
its own users.

**How sure.** Differences are paired by user; the intervals are 95 % of 2,000 bootstraps over
users. Recall@20 is over min(20, relevant films).

**Broad lists.** Of the lists of ten: coverage is the share of the catalogue in any of them,
novelty the bits that one learns when somebody turns out to have rated a film (Zhou et al. 2010),
diversity the mean of 1 - cosine of genres, year and tags over the pairs of a list (Ziegler et
al. 2005). A request, or a setting of the system, may ask for broader lists: `diversity` is the
share of the places, the last ones of every ten, that is kept for films that suit the viewer more
than they suit others (after Adomavicius and Kwon 2012). What that brings and costs is measured at
each setting, and so is how broad lists are when they are only as good as the bar.

**Films that nobody rated.** Three draws of a tenth of the films, each with the users of another
fold; the ratings of those films are kept from the training. Once they are the only candidates,
once all films are. The cost is what the lists of rated films lose by letting them in.

**Ablation.** Each model is fitted without each part of its mix, the weights of the others learned
anew, and judged on the cases that are routed to it. A part that others can stand in for costs
little here, though it may cost much alone.

**What decides.** A training measures one fold, and a new version that gains less over
popularity than the serving one by more than the margin is not published.

"""


def quality_document(report: Report) -> str:
    """Return the report in Markdown under an explanation of what was measured."""
    introduction = _INTRODUCTION.format(
        data=report.data_version[:12], code=report.code_version, seed=report.seed
    )
    body = markdown(report).removeprefix("# Quality\n").lstrip()
    return f"{introduction}## What was found\n\n{body.replace('## ', '### ')}"
