"""The page docs/explanation/lists.md: lists to look at, with the figures of likeness."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from marquee.features.dataset import Dataset
from trainer.evaluation.lists.examples import Catalogue, Examples, Expected, Session
from trainer.evaluation.lists.figures import LikenessFigures, measure_likeness, read_series
from trainer.evaluation.lists.lists import Item, ListMaker, Lists
from trainer.models.parameters import TrainingParameters

_INTRODUCTION = """\
# Lists to look at

Written by `marquee inspect lists --docs docs/explanation/lists.md`, with the lists of a training on
`{data}`; edit `tests/quality/lists.yaml`, not the page. Figures tell how good lists are on average;
these tell what they look like, the bad ones too: a remark under a list says what is wrong with it.

- **Similar films** (`/v1/movies/ID/similar`) know neither fame nor mean rating. The number is the
  likeness: half of it is who likes both and content, half the words of the title, which count the
  less the more other films have them and the less the films' content agrees.
- **Sessions** are what the routes `similar` (films viewed) and `hybrid` (few ratings) answer. They
  weigh likeness against what people like next, which is often just a popular film. A film says
  `similar to viewed` only if it is nearer than 99.5 % of the catalogue and its content agrees;
  what else fills a list up says that it is popular.

## What is still wrong

- **One viewed film gives popular films beside like ones**, and like ones only a quarter of the
  places where few people know them: a Western, an anime. What such viewers like next is, in
  the data, rather *Pulp Fiction*: weights that put like films first lose .005 to .04 of NDCG@10.
  `/v1/movies/ID/similar` has the list that is alike.
- **Other parts of a series are rare in sessions.** Sequels are less liked than what is liked beside
  the first part: weights that bring them in lose .006 to .014.
- **One rating says little about what is not liked.** Low stars for action do not keep the blend of
  few ratings from the blockbusters that viewers of romantic comedies liked too. They say that they
  are popular: a liked film is named only where the reduced space sees more likeness than in
  three of four pairs of well-known films.
- **Series without a common word** are not found where other films have the same genres and years:
  *El Mariachi* and *Desperado*, *Divergent* and *Insurgent*, Jack Ryan, Hannibal Lecter, *Monsters,
  Inc.* and *Monsters University* of twelve years later. The data have no cast, director or plot.
- **The same title is not the same series**: *The Heat* stands beside *Heat*, *Twilight* (1998)
  beside *Twilight* (2008).
- **What was in cinemas in one year** is liked by the same people, who rated it together:
  *Braveheart* is beside *True Lies* and *Speed*.
- **Genres are all that is known of many films**: two dramas with romance of one year are equal in
  content, so that films with three ratings stand beside *Titanic*.
"""


def write_page(
    dataset: Dataset,
    parameters: TrainingParameters,
    diversity: float,
    examples: Path,
    series: Path,
    data: str,
) -> str:
    """Return the page of a training on a data set that is named `data`.

    Args:
        dataset: movies and ratings.
        parameters: hyperparameters of the models.
        diversity: the setting of lists.
        examples: file of movies and sessions.
        series: file of the films of series.
        data: name of the data set.
    """
    chosen, maker = Examples.read(examples), ListMaker(dataset, parameters, diversity)
    return page(
        chosen,
        maker.similar(chosen),
        maker.sessions(chosen),
        measure_likeness(dataset, read_series(series, dataset)),
        Catalogue(dataset.movies),
        data,
    )


def page(
    examples: Examples,
    similar: Lists,
    sessions: Lists,
    figures: LikenessFigures,
    catalogue: Catalogue,
    data: str,
) -> str:
    """Return the page as Markdown."""
    parts = [_INTRODUCTION.format(data=data), *_figures(figures), "## Similar films\n"]
    for name, expected in examples.movies.items():
        genres = ", ".join(catalogue.movie(name).genres)
        parts += _list(name, f"{genres}.", expected, similar[name], "likeness")
    parts.append("## Sessions\n")
    for name, session in examples.sessions.items():
        words = f"Route `{session.route}`. {_known(session)}."
        parts += _list(name, words, session, sessions[name], "why")
    return "\n".join(parts)


def _figures(figures: LikenessFigures) -> Iterator[str]:
    found, by_measure = figures.siblings, figures.neighbors
    yield "## Figures\n"
    yield from _table(
        ("figure", "value"),
        [
            ("parts of a series among the ten most similar films", f"{found.in_ten:.0%}"),
            ("a part of the series is the most similar film", f"{found.first:.0%}"),
            *(
                (f"NDCG@10 against neighbours among held-out viewers, {measure}", f"{value:.3f}")
                for measure, value in by_measure.items()
            ),
            (
                "the exact copy of a film, added as a new one, is first",
                f"{figures.copies_first:.0%}",
            ),
        ],
    )
    missed = [name for name, (in_ten, _) in found.by_series.items() if in_ten < 0.5]
    yield f"Series of which less than half is found: {', '.join(missed) or 'none'}.\n"


def _list(
    name: str, words: str, expected: Expected, items: list[Item], heading: str
) -> Iterator[str]:
    share = expected.share_of([item.movie for item in items])
    yield f"### {name}\n"
    wanted = [*sorted(expected.genres), *expected.movies]
    yield f"{words} Expected: {expected.share:.0%} {' or '.join(wanted)}; found: {share:.0%}.\n"
    rows = [
        (f"{item.movie.title} ({item.movie.year})", ", ".join(item.movie.genres), item.why)
        for item in items
    ]
    yield from _table(("film", "genres", heading), rows)
    if expected.note:
        yield f"*{expected.note}*\n"


def _known(session: Session) -> str:
    rated = [f"{name} {stars:g} ★" for name, stars in session.rated.items()]
    parts = [("Viewed", session.viewed), ("Rated", rated)]
    return "; ".join(f"{verb} {', '.join(names)}" for verb, names in parts if names)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
    yield ""
