"""Report as the document docs/reference/quality.md, with an explanation of its metrics."""

from trainer.report.model import Report
from trainer.report.writers import markdown

_INTRODUCTION = """\
# Quality

This page is written by `marquee evaluate --docs docs/reference/quality.md`; edit the command's
code, not the page. Data set `{data}`, code `{code}`, seed {seed}.

## How it is measured

**What is asked.** Lists are made for viewers of whom something is known, and compared with the
films that the viewer liked beside that (more than 3.5 stars). Models answer as in their services:
they are fitted, saved, loaded and queried. The route is the one that the gateway would take, so
several routes may answer a row of a table.

**In the order of time, which counts first.** In life ratings come one after the other.

- *First ratings known* (`first 1` to `first 50`, and 80 % of all): all ratings of a test viewer are
  left out of the training (strong generalization, Liang et al. 2018), the first ones are shown, and
  every film that the viewer liked later is wanted.
- *After a cut*: models are trained on what was rated before a moment, with 70, 80 and 90 % of all
  ratings before it. New viewers show their first ratings after it (`new: first 3`), returning ones
  all that they rated before it; what they liked later is wanted.

Ratings of one second are ordered by a draw that does not follow the films' numbers. Where times
give no order, because all are equal, most of a viewer's ratings have one second, or all viewers
rated in one order, the report says so, and random ratings alone are measured.

**Random ratings known.** The same viewers as in the folds above, of whom a random part is shown and
all other likes are wanted: what an imported history is like. `1 viewed`: films without ratings.

**Rivals.** Popularity, popularity of the last weeks (likes count half after each half-life),
ItemKNN, ALS, EASE, EASE with columns for liked films and for films that were not liked, BPR and
SLIM get the same data. Each has six settings, is mixed with popularity, and is tuned in each split
on validation viewers, separately for each slice and in its order: a tenth of the training viewers,
or, after a cut, those who rated after an earlier cut within the training data. The rival with the
largest NDCG@10 on the test viewers is the bar of a slice.

**Validation beside test.** In the first folds all recommenders are also measured on the validation
viewers, on whom the rivals were tuned. A difference on them that test viewers do not show would be
overfitting of the choices.

**How sure.** Differences are paired by user; the intervals are 95 % of 2,000 bootstraps over
users. Recall@20 is over min(20, relevant films).

**Broad lists.** Of the lists of ten: coverage is the share of the catalogue in any of them, novelty
the mean self-information of the films, -log2 of the share of users who rated them (Zhou et al.
2010, Vargas and Castells 2011), diversity the mean of 1 - cosine of genres, year and tags over the
pairs of a list (Ziegler et al. 2005). A request, or a setting of the system, may ask for broader
lists: a film's score loses the share `diversity` of its exposure threshold, the score that only a
hundredth of the viewers reach for it. Tables and differences are of the default setting of the
system; the trade-off is measured at each setting, as is the broadest list that is as good as the
bar.

**Not the same for everybody.** Two qualities judge a list. NDCG rewards what is popular, since the
held-out likes are; so recall@20 is told a second time with targets weighted by their popularity:
likes of the film in the data set to the power of -1/2 (Steck 2011). With the exponent 0 it would be
recall, with 1 films liked once or twice would decide. Beside it: in which share of the lists the
most shown film stands, which share of the places the ten most shown films take, and by how much
the genres of a list differ from those of the viewer's known likes (Kullback-Leibler divergence in
nats, smoothed by .01; Steck 2018). The setting of diversity that is best by both is the one of the
largest weighted recall among those whose NDCG@10 is within .003 of the best.

**Films that nobody rated.** Three draws of a tenth of the films, each with the users of another
fold; the ratings of those films are held out from the training. Candidates are these films alone,
and then all films. The cost is the loss of NDCG@10 on rated films when the others may enter.

**Ablation.** Each model is fitted without each part of its blend, with the weights of the others
learned again, and measured on the cases that are routed to it. A part that others can replace costs
little here, though it may be worth much alone.

**What decides.** A training measures one fold. A new version that gains less over popularity than
the serving one by more than the margin is not published: by first ratings in time where both
versions were measured so, by random ones otherwise.

"""


def quality_document(report: Report) -> str:
    """Return the report in Markdown under an explanation of the measurements."""
    introduction = _INTRODUCTION.format(
        data=report.data_version[:12], code=report.code_version, seed=report.seed
    )
    body = markdown(report).removeprefix("# Quality\n").lstrip()
    return f"{introduction}## What was found\n\n{body.replace('## ', '### ')}"
