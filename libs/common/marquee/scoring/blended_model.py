"""Base of the content and the hybrid model: blended signals over movies in a reduced space."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from marquee.arrays import (
    Floating,
    Ints,
    Mask,
    Matrix,
    Reals,
    Vector,
    load_arrays,
    load_json,
    save_arrays,
    save_json,
    unit,
)
from marquee.domain.movies import Movie
from marquee.domain.recommendation import Reason, Scored, UserHistory
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import Pipeline
from marquee.features.popularity import Popularity
from marquee.features.row_layout import RowLayout
from marquee.features.shortlist import RowSelection, all_rows
from marquee.registry.bundle import UNPUBLISHED, bundle_version
from marquee.scoring.blending import weighted_sum
from marquee.scoring.cold_start import ColdStartModel, with_prior_popularity
from marquee.scoring.diversity import diverse_top
from marquee.scoring.evidence_weights import EvidenceWeights
from marquee.scoring.explanations import contributions
from marquee.scoring.scorers.popularity_signals import base_popularity, popularity_signal
from marquee.scoring.scorers.preference import ColdStartImputer, PreferenceScorers
from marquee.scoring.scorers.recent_trend import RecentTrend

H = TypeVar("H")

Explanation = tuple[Reason, tuple[tuple[int, float], ...]]
"""Reason of a recommendation, and the movies that it rests on with their shares."""

_LEAST_COSINE = 0.2
"""Of a movie's code to that of a movie that explains it: three of four pairs of well-known movies
are less alike."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BlendedModel(ABC, Generic[H]):
    """A fitted model; H is how it sees a user's history.

    A row of `MovieTable.vectors` is laid out as `layout` says: first the columns that users teach
    (predicted from content where a movie is cold, that is, had no ratings at the training), then
    `code`, the movie's unit code in the reduced space, `prior`, the log popularity expected from
    content, and `cold`, 1 for a cold movie, else 0.

    Attributes:
        movie_vectors: vectoriser of movies.
        pipeline: scaler → encoder → k-means of the reduced space.
        preference: the scorers of what users like.
        cold_start: predictions for movies without ratings.
        weights: weight of each signal in the blend, by evidence.
        base: the movies of the training.
        base_sums: int64 n × 3: ratings, positive ratings, half stars of each base movie.
        trend: of recent popularity; None in older bundles and for data without usable times.
        version: of the bundle.
    """

    reason: ClassVar[Reason]
    """Reason of a movie that resembles the user's history."""
    pool: ClassVar[int] = 0
    """Best candidates that `arranged` needs at least."""

    movie_vectors: MovieVectors
    pipeline: Pipeline
    preference: PreferenceScorers
    cold_start: ColdStartModel
    weights: EvidenceWeights
    base: MovieTable
    base_sums: Ints
    trend: RecentTrend | None = None
    version: str = UNPUBLISHED

    @property
    def half_life(self) -> float | None:
        """Half-life in days of likes in the trend; None without a trend."""
        return None if self.trend is None else self.trend.half_life

    @property
    @abstractmethod
    def layout(self) -> RowLayout:
        """Layout of a row of the table."""

    @abstractmethod
    def pipeline_input(self, learned: Matrix, movie_vectors: Matrix) -> Matrix:
        """Return the input of the pipeline from the learned columns and the vectors of n movies."""

    @abstractmethod
    def history(self, user: UserHistory, movies: MovieTable) -> H:
        """Return the part of a user's history that counts, as rows of the table."""

    @abstractmethod
    def evidence(self, history: H) -> tuple[int, Ints | None]:
        """Return how many movies a history has, and the times of its ratings where known."""

    @abstractmethod
    def sources(self, history: H) -> tuple[Ints, npt.NDArray[np.number]]:
        """Return the rows of the movies that explain recommendations, and their weights."""

    @abstractmethod
    def signals(
        self,
        history: H,
        movies: MovieTable,
        popularity: Popularity | None = None,
        selection: RowSelection | None = None,
    ) -> dict[str, Vector]:
        """Return the signals of the blend by name, one number a row of the table, or selected."""

    @classmethod
    def load_more(cls, directory: Path) -> dict[str, Any]:  # noqa: ARG003
        """Return the fields of a subclass, read from a bundle."""
        return {}

    def save_more(self, directory: Path) -> None:
        """Write the fields of a subclass."""

    def movies(self) -> MovieTable:
        """Return a table of the base movies, the caller's to change."""
        return MovieTable.from_arrays(self.base.arrays()).for_scoring(self.base_sums)

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        """Return the sums that the model was fitted with, zeros for a movie it does not know."""
        row = self.base.index(movie_id)
        if row < 0:
            return 0, 0, 0
        n, positive, half_stars = self.base_sums[row].tolist()
        return n, positive, half_stars

    def row(self, movie: Movie, sums: tuple[int, int, int]) -> tuple[Vector, int]:
        """Return the vector and the cluster of a new or changed movie with its sums."""
        i = self.base.index(movie.movie_id)
        is_known = i >= 0 and not self.layout.column(self.base.vectors[i], "cold")
        learned = self.base.vectors[i : i + 1, self.layout.before("code")] if is_known else None
        vectors, clusters = self.encode(self.movie_vectors.vector(movie, sums)[None], learned)
        return vectors[0], int(clusters[0])

    def encode(
        self, movie_vectors: Matrix, learned: Matrix | None = None
    ) -> tuple[Matrix, npt.NDArray[np.int16]]:
        """Return the table's vectors and clusters of n movies.

        Args:
            movie_vectors: float32 n × d.
            learned: the columns that users taught, n × l; None: the movies are cold.
        """
        prior, predicted = self.cold_start.predict(movie_vectors[:, self.movie_vectors.content])
        cold = np.full(len(prior), learned is None, np.float32)
        learned = predicted if learned is None else learned
        vectors = with_prior_popularity(movie_vectors, self.movie_vectors, prior, cold)
        codes, clusters = self.pipeline.apply(self.pipeline_input(learned, vectors))
        columns = (learned, unit(codes), self.code_columns(codes), prior[:, None], cold[:, None])
        return np.hstack(columns), clusters

    def code_columns(self, codes: Matrix) -> Matrix:
        """Return further columns of a row from n × e codes, besides their direction: none here."""
        return np.zeros((len(codes), 0), np.float32)

    def recommend(
        self,
        user: UserHistory,
        movies: MovieTable,
        mask: Mask,
        k: int,
        popularity: Popularity | None = None,
        diversity: float = 0.0,
    ) -> list[Scored]:
        """Return up to k movies where `mask` holds, best first, each with its explanation.

        `diversity` is that of `marquee.scoring.diversity`.
        """
        history = self.history(user, movies)
        n = max(k, self.pool)
        selection = movies.select_rows(mask, n)
        scores = self.scores(history, movies, popularity, selection)
        thresholds = movies.exposure_thresholds[selection.rows]
        best = diverse_top(scores, mask[selection.rows], n, thresholds, diversity)
        rows = selection.table_rows(best)
        explanations = self.explain(history, movies, rows)
        items = [
            Scored(movie_id, score, reason, because)
            for movie_id, score, (reason, because) in zip(
                movies.movie_ids[rows].tolist(), scores[best].tolist(), explanations, strict=True
            )
        ]
        return list(self.arranged(items)[:k])

    def arranged(self, items: Sequence[Scored]) -> Sequence[Scored]:
        """Return the best candidates in the order of a list: as they are, here."""
        return items

    def explain(self, history: H, movies: MovieTable, rows: Ints) -> list[Explanation]:
        """Return the reason of each of k recommended rows and the movies that it rests on."""
        codes = self.layout.block(movies.vectors, "code")
        source_rows, source_weights = self.sources(history)
        explanations = contributions(codes[rows], codes[source_rows], source_weights, _LEAST_COSINE)
        source_ids = movies.movie_ids[source_rows].tolist()
        return [
            (
                self.reason if shares else Reason.POPULAR,
                tuple((source_ids[i], share) for i, share in shares),
            )
            for shares in explanations
        ]

    def scores(
        self,
        history: H,
        movies: MovieTable,
        popularity: Popularity | None = None,
        selection: RowSelection | None = None,
    ) -> Floating:
        """Return the blended score of each row of the table, or of those selected."""
        selection = all_rows(movies.vectors) if selection is None else selection
        weights = self.weights.of(*self.evidence(history))
        scores = weighted_sum(self.signals(history, movies, popularity, selection), weights)
        cold = self.layout.column(selection.vectors, "cold")
        return scores + self.cold_start.offset * cold

    def imputer(self, selection: RowSelection) -> ColdStartImputer:
        """Return the imputer of the selected rows, which also holds their priors."""
        columns = self.layout.start("prior"), self.layout.start("cold")
        prior, cold = selection.columns(*columns)
        return ColdStartImputer(self.cold_start, prior, cold)

    def log_popularity(
        self, selection: RowSelection, imputer: ColdStartImputer, current: Popularity | None = None
    ) -> Vector:
        """Return the log popularity of the selected rows, at the training or now (`current`)."""
        base = self._base_popularity
        return popularity_signal(selection, base, current, imputer.prior, imputer.cold)

    @property
    def clusters(self) -> int:
        """Number of clusters of movies."""
        return len(self.pipeline.kmeans.centers)

    def with_cold_start(self, cold_start: ColdStartModel) -> Self:
        """Return the same model with other predictions for movies without ratings."""
        return replace(self, cold_start=cold_start)

    def save(self, directory: Path) -> None:
        """Write the artifacts into a directory."""
        directory.mkdir(parents=True, exist_ok=True)
        self.movie_vectors.save(directory)
        self.pipeline.save(directory)
        self.preference.save(directory)
        self.cold_start.save(directory)
        self.save_more(directory)
        if self.trend is not None:
            self.trend.save(directory)
        save_arrays(directory / "films.npz", **self.base.arrays(), sums=self.base_sums)
        save_json(directory / "mix.json", self.weights.to_stored())

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the artifacts of a directory; the version is the manifest's."""
        movies = load_arrays(directory / "films.npz")
        return cls(
            movie_vectors=MovieVectors.load(directory),
            pipeline=Pipeline.load(directory),
            preference=PreferenceScorers.load(directory, movies["vectors"]),
            cold_start=ColdStartModel.load(directory),
            weights=EvidenceWeights.from_stored(load_json(directory / "mix.json")),
            base=MovieTable.from_arrays(movies),
            base_sums=movies["sums"],
            trend=RecentTrend.load(directory),
            version=bundle_version(directory),
            **cls.load_more(directory),
        )

    @cached_property
    def _base_popularity(self) -> Reals:
        return base_popularity(self.base_sums)
