"""The lists of examples, by models fitted to a data set, as their services would answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marquee.arrays import Mask
from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.movies import Movie
from marquee.domain.recommendation import Route, Scored, UserHistory
from marquee.features.dataset import Dataset
from trainer.evaluation.lists.examples import Catalogue, Examples, Session
from trainer.evaluation.served_models import ServedModel, fit_served_model
from trainer.models.parameters import TrainingParameters

LIST_SIZE = 10


@dataclass(frozen=True)
class Item:
    """An item of a list: the movie, and why it is there, in words."""

    movie: Movie
    why: str


Lists = Mapping[str, list[Item]]


class ListMaker:
    """Makes lists of models fitted to a data set; a model is fitted when it is first asked."""

    def __init__(
        self, dataset: Dataset, parameters: TrainingParameters, diversity: float = 0.0
    ) -> None:
        self._dataset, self._parameters, self._diversity = dataset, parameters, diversity
        self._catalogue = Catalogue(dataset.movies)
        self._by_id = {movie.movie_id: movie for movie in dataset.movies}
        self._models: dict[str, ServedModel] = {}

    def similar(self, examples: Examples) -> Lists:
        """Return the ten most similar movies of each movie of the examples."""
        served = self._model("content")
        lists = {}
        for name in examples.movies:
            movie_id = self._catalogue.movie(name).movie_id
            scored = served.model.similar(
                movie_id, served.movies, self._mask(served, ()), LIST_SIZE
            )
            lists[name] = [Item(self._by_id[item.movie_id], f"{item.score:.2f}") for item in scored]
        return lists

    def sessions(self, examples: Examples) -> Lists:
        """Return the ten recommendations of each session of the examples."""
        return {name: self._session(session) for name, session in examples.sessions.items()}

    def _session(self, session: Session) -> list[Item]:
        viewed = [self._catalogue.movie(name).movie_id for name in session.viewed]
        ratings = [
            (self._catalogue.movie(name).movie_id, stars) for name, stars in session.rated.items()
        ]
        served = self._model(MODEL_BY_ROUTE[Route(session.route)])
        mask = self._mask(served, [*viewed, *(movie_id for movie_id, _ in ratings)])
        more: dict[str, Any] = {}
        if served.popularity is not None:
            more["popularity"] = served.popularity.at(0)
        scored: list[Scored] = served.model.recommend(
            UserHistory.of(ratings, viewed),
            served.movies,
            mask,
            LIST_SIZE,
            diversity=self._diversity,
            **more,
        )
        return [Item(self._by_id[item.movie_id], self._why(item)) for item in scored]

    def _why(self, item: Scored) -> str:
        words = item.reason.value.replace("_", " ")
        named = "; ".join(self._because(item))
        return f"{words}: {named}" if named else words

    def _because(self, item: Scored) -> Iterator[str]:
        for movie_id, share in item.because:
            yield f"{self._by_id[movie_id].title.split(' (')[0]} {share:.0%}"

    def _mask(self, served: ServedModel, known: list[int] | tuple[int, ...]) -> Mask:
        mask = served.movies.alive.copy()
        mask[served.movies.indexes(known)] = False
        return mask

    def _model(self, name: str) -> ServedModel:
        if name not in self._models:
            self._models[name] = fit_served_model(name, self._dataset, self._parameters)
        return self._models[name]
