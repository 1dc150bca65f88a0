"""The neural model: preference by autoencoder and item weights, stars by the RatingPredictor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from marquee.arrays import (
    Integer,
    Ints,
    Mask,
    Matrix,
    Vector,
    load_arrays,
    load_json,
    save_arrays,
    save_json,
    unit,
)
from marquee.domain.likes import is_like
from marquee.domain.movies import Movie
from marquee.domain.ratings import RatedMovies
from marquee.domain.recommendation import Reason, Scored, UserHistory
from marquee.features.movie_table import MovieTable
from marquee.features.pipeline import KMeans
from marquee.features.popularity import Popularity
from marquee.features.shortlist import RowSelection
from marquee.registry.bundle import UNPUBLISHED, bundle_version
from marquee.scoring.blending import standardise
from marquee.scoring.diversity import diverse_order, pool_size
from marquee.scoring.top_k import top
from neural.blend import NeuralBlend
from neural.confidence import Confidence
from neural.item_explanations import explain_items
from neural.movie_rows import NetworkMovieRows, NeuralRowLayout
from neural.rating_predictor import RatingPredictor, UserVector
from neural.signals import NeuralScorers

POOL = 200
"""How many of the best movies by the other signals the predicted rating may reorder."""


@dataclass(frozen=True, eq=False)
class Neural:
    """Fitted networks, and the tables that serving needs.

    Attributes:
        base: The table of movies at the training.
        base_sums: Their ratings, positive ones and half stars, int64 n × 3.
        movie_rows: Predicts a movie's row from content.
        predictor: Of ratings.
        scorers: Of preferences; their signals are blended.
        kmeans: Clusters of users' codes.
        blend: The blend of signals into a score.
        confidence: Of predicted ratings.
        version: From the bundle's manifest.
        science_files: Those for data scientists, by name; a training's.
    """

    base: MovieTable
    base_sums: Ints
    movie_rows: NetworkMovieRows
    predictor: RatingPredictor
    scorers: NeuralScorers
    kmeans: KMeans
    blend: NeuralBlend
    confidence: Confidence = field(default_factory=Confidence)
    version: str = UNPUBLISHED
    science_files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def half_life(self) -> float | None:
        """Half-life in days of likes in the trend; None without a trend."""
        trend = self.scorers.trend
        return None if trend is None else trend.half_life

    def movies(self) -> MovieTable:
        """Return a fresh table of the movies known at the training."""
        return MovieTable.from_arrays(self.base.arrays()).for_scoring(self.base_sums)

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        """Return the ratings, positive ones and half stars of a movie at the training."""
        i = self.base.index(movie_id)
        n, positive, half = self.base_sums[i].tolist() if i >= 0 else (0, 0, 0)
        return n, positive, half

    def row(self, movie: Movie, sums: tuple[int, int, int]) -> tuple[Vector, int]:  # noqa: ARG002
        """Return the row and cluster of a new or changed movie: vector → scaler → encoder → KMeans.

        A movie with ratings at the training keeps its learned row; its cluster follows content.
        """
        rows, clusters = self.movie_rows.cold(self.movie_rows.raw([movie]), self.predictor)
        i = self.base.index(movie.movie_id)
        if i >= 0:  # it was there to be rated: no newer than others
            self._layout.coldness(rows)[:] = 0
        has_ratings = i >= 0 and self.base_sums[i, 0] > 0
        return (self.base.vectors[i] if has_ratings else rows[0]), int(clusters[0])

    def encode(self, rated: RatedMovies) -> tuple[Vector, int]:
        """Return the code (e) and cluster of a user."""
        code = self.scorers.code(*self.base.rated_rows(rated))
        return code, int(self.kmeans.assign(unit(code[None]))[0])

    def predict(
        self, rated: RatedMovies, movie_ids: Sequence[int], movies: MovieTable | None = None
    ) -> tuple[Vector, Vector]:
        """Predict ratings of n movies.

        Args:
            rated: The user's ratings.
            movie_ids: The movies, n; unknown ones may be among them.
            movies: Their current rows; None: as at the training.

        Returns:
            Stars (n, within the scale of the data) and confidences (n, 0 to 1; see `Confidence`).
            Without a rating by the user the stars are the movie's mean, for an unknown movie the
            mean of all: no prediction of the network, so the confidence is 0.
        """
        table = self.base if movies is None else movies
        rows = np.array([table.index(movie_id) for movie_id in movie_ids], np.int64)
        known = rows >= 0
        stars = np.full(len(rows), self.predictor.mean, np.float32)
        confidences = np.zeros(len(rows), np.float32)
        vectors = table.vectors[rows[known]]
        user_movies, half_stars = self.base.rated_rows(rated)
        if len(user_movies):
            user = self._user(user_movies, half_stars)
            targets = self._layout.rating_inputs(vectors)
            stars[known] = self.predictor.predict(user, targets)
            confidences[known] = self.confidence.of(user.log_count, targets.log_counts, user.spread)
        else:
            stars[known] = self._layout.means(vectors)
        return self.predictor.bounded(stars), confidences

    def recommend(
        self,
        user: UserHistory,
        movies: MovieTable,
        mask: Mask,
        k: int,
        popularity: Popularity | None = None,
        diversity: float = 0.0,
    ) -> list[Scored]:
        """Return up to k movies where `mask` is true, best first, each with its explanation.

        The predicted rating reorders the best `POOL` by the other signals; `diversity` reorders
        these (`marquee.scoring.diversity`).
        """
        user_movies, half_stars = self.base.rated_rows(user.rated)
        chosen = movies.select_rows(mask, k)
        signals = self.signals(user_movies, half_stars, chosen, popularity)
        coldness = self._layout.coldness(chosen.vectors)
        scores = self.blend.total(signals, coldness, len(user_movies), user.rated.times)
        pool = top(scores, mask[chosen.rows], max(POOL, pool_size(k, diversity)))
        final, reranked = scores[pool], pool[:POOL]
        if self.blend.rating_weight and len(user_movies):
            ratings = self.rating_signal(user_movies, half_stars, chosen.vectors[reranked])
            final[:POOL] += np.float32(self.blend.rating_weight) * ratings
        # Movies beyond the pool stay behind it, so that a longer list begins with the shorter one.
        order = np.argsort(-final[:POOL], kind="stable")
        order = np.concatenate([order, np.arange(len(reranked), len(pool))])
        thresholds = movies.exposure_thresholds[chosen.rows][pool[order]]
        order = order[diverse_order(final[order], thresholds, diversity)[:k]]
        rows = chosen.table_rows(pool[order])
        explanations = explain_items(
            self.scorers.long_history, self._layout, user_movies[is_like(half_stars)], movies, rows
        )
        items = zip(
            movies.movie_ids[rows].tolist(), final[order].tolist(), explanations, strict=True
        )
        return [
            Scored(movie_id, score, Reason.PREDICTED_FOR_YOU, because)
            for movie_id, score, because in items
        ]

    def signals(
        self,
        user_movies: Ints,
        half_stars: Integer,
        chosen: RowSelection,
        popularity: Popularity | None = None,
    ) -> dict[str, Vector]:
        """Return the signals of m chosen movies by name, as of `NeuralScorers`."""
        base = self.base.vectors
        return self.scorers.signals(user_movies, half_stars, base, chosen, popularity)

    def rating_signal(self, user_movies: Ints, half_stars: Integer, rows: Matrix) -> Vector:
        """Return the z-scores of the ratings predicted of m movie rows."""
        user = self._user(user_movies, half_stars)
        ratings = self.predictor.predict(user, self._layout.rating_inputs(rows))
        scaled: Vector = standardise(ratings, np.ones(len(ratings), bool)).astype(np.float32)
        return scaled

    def _user(self, user_movies: Ints, half_stars: Integer) -> UserVector:
        biases = self._layout.rating_inputs(self.base.vectors).biases[user_movies]
        return self.predictor.user(user_movies, (half_stars / 2).astype(np.float32), biases)

    @property
    def _layout(self) -> NeuralRowLayout:
        return self.movie_rows.layout

    def save(self, directory: Path) -> None:
        """Write the artifacts of the model."""
        directory.mkdir(parents=True, exist_ok=True)
        save_arrays(directory / "films.npz", **self.base.arrays(), sums=self.base_sums)
        save_arrays(directory / "user_kmeans.npz", centers=self.kmeans.centers)
        self.movie_rows.save(directory)
        self.scorers.save(directory)
        self.predictor.save(directory)
        settings = {
            **self.blend.to_stored(),
            "mean": self.predictor.mean,
            "range": [self.predictor.low, self.predictor.high],
            "confidence": self.confidence.to_stored(),
        }
        save_json(directory / "mix.json", settings)
        for name, data in self.science_files.items():
            (directory / name).write_bytes(data)

    @classmethod
    def load(cls, directory: Path) -> "Neural":
        """Read what serving needs of the files that `save` wrote; the manifest gives the version.

        Raises:
            ArtifactError: A file is missing or unreadable, or a number in it is not finite.
        """
        movies = load_arrays(directory / "films.npz")
        settings = load_json(directory / "mix.json")
        predictor = RatingPredictor.load(
            directory, settings["mean"], *settings.get("range", (0.5, 5.0))
        )
        scorers = NeuralScorers.load(directory, predictor.d, movies["vectors"])
        return cls(
            base=MovieTable.from_arrays(movies),
            base_sums=movies["sums"],
            movie_rows=NetworkMovieRows.load(directory, scorers.layout),
            predictor=predictor,
            scorers=scorers,
            kmeans=KMeans(load_arrays(directory / "user_kmeans.npz")["centers"]),
            blend=NeuralBlend.from_stored(settings),
            confidence=Confidence.from_stored(settings.get("confidence", {})),
            version=bundle_version(directory),
        )
