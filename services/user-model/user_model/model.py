"""The user model: codes and clusters of users, and movies ranked by what similar users liked."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from marquee.arrays import Integer, Ints, Mask, Matrix, Vector, load_arrays, save_arrays, unit
from marquee.domain.likes import is_like
from marquee.domain.movies import Movie
from marquee.domain.ratings import RatedMovies
from marquee.domain.recommendation import Reason, Scored, UserHistory
from marquee.features.content_embedding import ContentEmbedding, likeness
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import KMeans
from marquee.features.popularity import Popularity
from marquee.features.shortlist import RowSelection, all_rows
from marquee.registry.bundle import UNPUBLISHED, bundle_version
from marquee.scoring.cold_start import ColdStartModel
from marquee.scoring.diversity import diverse_top
from marquee.scoring.explanations import strongest
from marquee.scoring.scorers.preference import (
    ColdStartImputer,
    PreferenceScorers,
    log_share,
    popularity_penalty,
)
from marquee.scoring.scorers.recent_trend import RecentTrend, trend_signals
from marquee.scoring.scorers.user_clusters import SMOOTHING, cluster_preference
from user_model.blend import UserModelBlend
from user_model.movie_rows import ColdRows, UserModelRowLayout
from user_model.neighbours import Neighbourhood, Neighbours
from user_model.segments.model import Segments
from user_model.training_ratings import TrainingRatings


@dataclass(frozen=True, eq=False)
class UserModel:
    """Autoencoder → KMeans of users → scores.

    Attributes:
        preference: Preference scorers, among them the autoencoder.
        kmeans: Clusters of the users' unit codes.
        base: The table of movies at the training.
        base_sums: Their ratings, positive ones and half stars, int64 n × 3.
        cold_rows: Predicts a movie's row from content.
        cold_start: Predicts the linear scores of a movie without ratings.
        codes: Unit codes of the u users of the training, ordered by cluster.
        bounds: Cluster c is the slice of these users from bounds[c] to bounds[c + 1].
        training: The same users and their ratings.
        blend: The blend of signals into a score.
        segments: Segments of movies and users, if they were fitted.
        trend: Of recent popularity; None in older bundles and for data without usable times.
        version: From the bundle's manifest.
    """

    preference: PreferenceScorers
    kmeans: KMeans
    base: MovieTable
    base_sums: Ints
    cold_rows: ColdRows
    cold_start: ColdStartModel
    codes: Matrix
    bounds: Ints
    training: TrainingRatings
    blend: UserModelBlend
    segments: Segments | None = None
    trend: RecentTrend | None = None
    version: str = UNPUBLISHED

    @property
    def half_life(self) -> float | None:
        """Half-life in days of likes in the trend; None without a trend."""
        return None if self.trend is None else self.trend.half_life

    def movies(self) -> MovieTable:
        """Return a fresh table of the movies known at the training."""
        return MovieTable.from_arrays(self.base.arrays()).for_scoring(self.base_sums)

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        """Return the ratings, positive ones and half stars of a movie at the training."""
        i = self.base.index(movie_id)
        n, positive, half = self.base_sums[i].tolist() if i >= 0 else (0, 0, 0)
        return n, positive, half

    def row(self, movie: Movie, sums: tuple[int, int, int]) -> tuple[Vector, int]:
        """Return the row (d) and cluster of a new or changed movie with its sums.

        Ratings tell more than content: a movie rated before the training keeps the learned columns,
        and only the code of its content follows its genres, year and tags.
        """
        index, layout = self.base.index(movie.movie_id), self._layout
        rows = self.cold_rows.predict([movie], np.array([sums[0]]))
        if index >= 0:  # it was there to be rated: no newer than others
            layout.coldness(rows)[:] = 0
        if index >= 0 and self.base_sums[index, 0] > 0:
            rows[0, : layout.learned] = self.base.vectors[index, : layout.learned]
        return rows[0], int(layout.fan_clusters(rows)[0])

    def encode(self, rated: RatedMovies) -> tuple[Vector, int]:
        """Return the code (e) and cluster of a user."""
        code = self.code(*self.base.rated_rows(rated))
        return code, int(self.kmeans.assign(unit(code[None]))[0])

    def segment(self, rated: RatedMovies) -> int | None:
        """Return the segment of a user; None if they liked no movie of the training."""
        if self.segments is None or self.segments.users is None:
            return None
        return self.segments.users.assign(*self.base.rated_rows(rated))

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

        `diversity` is that of `marquee.scoring.diversity`.
        """
        user_movies, half_stars = self.base.rated_rows(user.rated)
        code = self.code(user_movies, half_stars)
        neighbourhood = self.neighbourhood(code)
        chosen = movies.select_rows(mask, k)
        signals = self.signals(
            user_movies, half_stars, code, neighbourhood, movies.vectors, popularity, chosen
        )
        coldness = self._layout.coldness(chosen.vectors)
        scores = self.blend.total(signals, coldness, len(user_movies), user.rated.times)
        thresholds = movies.exposure_thresholds[chosen.rows]
        best = diverse_top(scores, mask[chosen.rows], k, thresholds, diversity)
        rows = chosen.table_rows(best)
        explanations = self._explain(neighbourhood, movies, rows, user.rated)
        items = zip(
            movies.movie_ids[rows].tolist(), scores[best].tolist(), explanations, strict=True
        )
        return [
            Scored(movie_id, score, Reason.LIKED_BY_SIMILAR_VIEWERS, because)
            for movie_id, score, because in items
        ]

    def neighbourhood(self, code: Vector) -> Neighbourhood:
        """Return the users of the training nearest to a code."""
        return self._neighbours.search(
            unit(code[None])[0], self.kmeans, self.blend.reach, self.blend.near
        )

    def signals(
        self,
        user_movies: Ints,
        half_stars: Integer,
        code: Vector,
        neighbourhood: Neighbourhood,
        table: Matrix,
        popularity: Popularity | None = None,
        chosen: RowSelection | None = None,
    ) -> dict[str, Vector]:
        """Return the signals of the blend by name, each over the m chosen movies.

        Args:
            user_movies: Base rows of the movies that the user rated, n.
            half_stars: The ratings, n, in half stars.
            code: The user's code.
            neighbourhood: The users of the training nearest to the code.
            table: Rows of all movies.
            popularity: The live popularity; None: as at the training.
            chosen: The movies to score; None: all of the table.
        """
        chosen = all_rows(table) if chosen is None else chosen
        layout, rows = self._layout, chosen.vectors
        base_popularity, coldness = layout.popularity(rows), layout.coldness(rows)
        log_popularity = base_popularity
        if popularity is not None:
            live = popularity.popularity[chosen.rows].astype(np.float32)
            log_popularity = np.where(coldness > 0, np.maximum(live, base_popularity), live)
        imputer = ColdStartImputer(self.cold_start, base_popularity, coldness)
        preference = self.preference.signals(user_movies, half_stars, table, imputer, code, chosen)
        # Columns before rows: a row of a table that is stored by column lies all over it.
        liked = layout.codes(table)[user_movies[is_like(half_stars)]]
        similarity = likeness(layout.codes(rows), liked)
        rates = neighbourhood.rates(chosen.n)[chosen.rows]
        return preference | {
            "content": np.float32(np.log1p(len(user_movies))) * similarity,
            "clusters": cluster_preference(self.kmeans, code, layout.rates(rows)),
            "near": log_share(rates, SMOOTHING),
            "popularity": log_popularity,
            **trend_signals(self.trend, chosen, popularity),
            "less_popular": popularity_penalty(base_popularity, len(user_movies)),
        }

    def code(self, user_movies: Ints, half_stars: Integer) -> Vector:
        """Return the code (e) of a user from rows of base movies and half stars, n each."""
        return self.preference.code(user_movies, half_stars)

    @property
    def _layout(self) -> UserModelRowLayout:
        return self.cold_rows.layout

    @cached_property
    def _neighbours(self) -> Neighbours:
        liked = is_like(self.training.half_stars)
        starts = np.concatenate([[0], np.cumsum(liked)])[self.training.starts]
        return Neighbours(self.codes, self.bounds, starts, self.training.movies[liked])

    def _explain(
        self, neighbourhood: Neighbourhood, movies: MovieTable, rows: Ints, rated: RatedMovies
    ) -> list[tuple[tuple[int, float], ...]]:
        """Return for each of r movies up to three (id of a liked movie, share): the explanation.

        By likes that neighbours have in common; without any, by cosine of autoencoder outputs.
        """
        liked = movies.indexes(rated.movie_ids[rated.liked].tolist())
        if not len(liked):
            return [()] * len(rows)
        co_likes = neighbourhood.co_likes(rows, liked, len(movies))
        outputs = unit(self._layout.outputs(movies.vectors)[np.concatenate([rows, liked])])
        cosines = np.maximum(outputs[: len(rows)] @ outputs[len(rows) :].T, 0)
        parts = np.where(co_likes.sum(axis=1, keepdims=True) > 0, co_likes, cosines)
        ids = movies.movie_ids[liked].tolist()
        shares = strongest(parts.astype(np.float32), parts.sum(axis=1).astype(np.float32))
        return [tuple((ids[i], share) for i, share in sources) for sources in shares]

    def save(self, directory: Path) -> None:
        """Write the artifacts of the model."""
        directory.mkdir(parents=True, exist_ok=True)
        training = self.training
        self.preference.save(directory)
        self.cold_start.save(directory)
        save_arrays(directory / "kmeans.npz", centers=self.kmeans.centers)
        save_arrays(directory / "films.npz", **self.base.arrays(), sums=self.base_sums)
        save_arrays(
            directory / "interaction_codes.npz",
            user_ids=training.user_ids,
            codes=self.codes,
            bounds=self.bounds,
        )
        training.save(directory)
        self.cold_rows.vectors.save(directory)
        self.cold_rows.embedding.save(directory)
        self.blend.save(directory)
        if self.trend is not None:
            self.trend.save(directory)
        if self.segments is not None:
            self.segments.save(directory)

    @classmethod
    def load(cls, directory: Path) -> "UserModel":
        """Read what `save` wrote; the version is that of the manifest.

        Raises:
            ArtifactError: A file is missing or unreadable, or a number in it is not finite.
        """
        kmeans = KMeans(load_arrays(directory / "kmeans.npz")["centers"])
        codes = load_arrays(directory / "interaction_codes.npz")
        movies = load_arrays(directory / "films.npz")
        preference = PreferenceScorers.load(directory, movies["vectors"])
        cold_start = ColdStartModel.load(directory)
        embedding = ContentEmbedding.load(directory)
        ridge = cold_start.prior
        layout = UserModelRowLayout.of(preference, len(ridge.bias), embedding)
        return cls(
            preference=preference,
            kmeans=kmeans,
            base=MovieTable.from_arrays(movies),
            base_sums=movies["sums"],
            trend=RecentTrend.load(directory),
            cold_rows=ColdRows(MovieVectors.load(directory), ridge, embedding, layout),
            cold_start=cold_start,
            codes=codes["codes"],
            bounds=codes["bounds"],
            training=TrainingRatings.load(directory),
            blend=UserModelBlend.load(directory),
            segments=Segments.load(directory),
            version=bundle_version(directory),
        )
