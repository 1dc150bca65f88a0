"""The user model: a user's code and cluster, and movies ranked by what users like him liked."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask, Matrix, load_arrays, load_json, save_arrays, save_json, unit
from marquee.domain.movies import Movie
from marquee.domain.ratings import POSITIVE, RatedMovies
from marquee.domain.recommendation import Reason, Scored, UserHistory
from marquee.features.content_embedding import ContentEmbedding, likeness
from marquee.features.dataset import position_in
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import KMeans
from marquee.features.popularity import Popularity
from marquee.features.shortlist import RowSelection, all_rows
from marquee.registry.bundle import MANIFEST, read_manifest
from marquee.scoring.blending import weighted_sum
from marquee.scoring.cold_start import ColdStartModel
from marquee.scoring.explanations import strongest
from marquee.scoring.preference import ColdStartImputer, PreferenceScorers, popularity_penalty, log_share
from marquee.scoring.top_k import top
from marquee.scoring.user_clusters import SMOOTHING, cluster_preference
from user_model.movie_rows import ColdRows, Layout, layout_of
from user_model.neighbours import Neighbourhood, Neighbours
from user_model.segments.model import Segments

Signals = dict[str, Matrix]


@dataclass(frozen=True)
class Mix:
    """How signals become a score: learned `weights`, the `bonus` of a movie that nobody rated yet,
    and how many `near` users of how many nearest clusters (`reach`) are asked."""

    weights: Mapping[str, float]
    bonus: float
    reach: int
    near: int


@dataclass(frozen=True, eq=False)
class Training:
    """The users of the training: their ids, and their ratings by row of the base movies."""

    user_ids: Ints
    starts: Ints
    movies: Ints
    half_stars: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class UserModel:
    """Autoencoder → KMeans of users → score; `base` is the table of movies at the training,
    `base_sums` int64 n × 3 their ratings, positive ones and half stars. `new_movies` predicts a
    row from content, and how few ratings score it."""

    taste: PreferenceScorers
    kmeans: KMeans
    base: MovieTable
    base_sums: Ints
    cold: ColdRows
    new_movies: ColdStartModel
    codes: Matrix
    bounds: Ints
    training: Training
    mix: Mix
    segments: Segments | None = None
    version: str = "unpublished"

    def movies(self) -> MovieTable:
        """Return a fresh table of the movies known at the training."""
        return MovieTable.from_arrays(self.base.arrays()).with_shortlist(self.base_sums)

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        """Return the ratings, positive ones and half stars of a movie at the training."""
        i = self.base.index(movie_id)
        n, positive, half = self.base_sums[i].tolist() if i >= 0 else (0, 0, 0)
        return n, positive, half

    def row(self, movie: Movie, sums: tuple[int, int, int]) -> tuple[Matrix, int]:
        """Return the row (d) and cluster of a new or changed movie with its sums.

        What users did says more than content: a movie rated before the training keeps what was
        learned of it, and only what it is alike follows its content.
        """
        index, layout = self.base.index(movie.movie_id), self._layout
        rows = self.cold.predict([movie], np.array([sums[0]]))
        if index >= 0:  # it was there to be rated: no newer than others
            layout.coldness(rows)[:] = 0
        if index >= 0 and self.base_sums[index, 0] > 0:
            rows[0, : layout.learned] = self.base.vectors[index, : layout.learned]
        return rows[0], int(layout.likers(rows)[0])

    def encode(self, rated: RatedMovies) -> tuple[Matrix, int]:
        """Return the code (e) of a user and his cluster."""
        code = self.code(*self._known(rated))
        return code, int(self.kmeans.assign(unit(code[None]))[0])

    def segment(self, rated: RatedMovies) -> int | None:
        """Return the segment of a user; None when he liked no movie of the training."""
        if self.segments is None or self.segments.users is None:
            return None
        return self.segments.users.assign(*self._known(rated))

    def recommend(
        self,
        user: UserHistory,
        movies: MovieTable,
        mask: Mask,
        k: int,
        popularity: Popularity | None = None,
    ) -> list[Scored]:
        """Return up to k movies where `mask` is true, best first, each with what it rests on."""
        known = self._known(user.rated)
        code = self.code(*known)
        near = self.near(code)
        chosen = movies.select_rows(mask, k)
        signals = self.signals(*known, code, near, movies.vectors, popularity, chosen)
        scores = self.total(signals, self._layout.coldness(chosen.vectors))
        best = top(scores, mask[chosen.rows], k)
        rows = chosen.table_rows(best)
        reasons = self._because(near, movies, rows, user.rated)
        ids, found = movies.movie_ids[rows].tolist(), scores[best].tolist()
        return [
            Scored(movie_id, score, Reason.LIKED_BY_SIMILAR_VIEWERS, because)
            for movie_id, score, because in zip(ids, found, reasons, strict=True)
        ]

    def total(self, signals: Signals, coldness: Matrix) -> Matrix:
        """Return the scores, n, of signals; near users of a movie without ratings are guessed."""
        near, clusters = signals["near"], signals["clusters"]
        guessed = signals | {"near": near + coldness * (clusters - near)}
        total = weighted_sum(guessed, self.mix.weights) + np.float32(self.mix.bonus) * coldness
        return total.astype(np.float32, copy=False)

    def near(self, code: Matrix) -> Neighbourhood:
        """Return the users of the training who are near to a code."""
        return self._neighbours.near(
            unit(code[None])[0], self.kmeans, self.mix.reach, self.mix.near
        )

    def signals(
        self,
        known: Ints,
        half_stars: npt.NDArray[np.integer],
        code: Matrix,
        near: Neighbourhood,
        table: Matrix,
        popularity: Popularity | None = None,
        chosen: RowSelection | None = None,
    ) -> Signals:
        """Return what speaks for each movie of a table, n × d, or chosen of it: what the mix weighs.

        `known` and `half_stars`: rows and ratings of the user's base movies.
        """
        chosen = all_rows(table) if chosen is None else chosen
        layout, rows = self._layout, chosen.vectors
        popular, coldness = layout.popularity(rows), layout.coldness(rows)
        cold = ColdStartImputer(self.new_movies, popular, coldness)
        taste = self.taste.signals(known, half_stars, table, cold, code, chosen)
        if popularity is not None:
            live = popularity.popularity[chosen.rows].astype(np.float32)
            popular = np.where(coldness > 0, np.maximum(live, popular), live)
        like = likeness(layout.codes(rows), layout.codes(table[known[half_stars >= POSITIVE]]))
        return taste | {
            "content": np.float32(np.log1p(len(known))) * like,
            "clusters": cluster_preference(self.kmeans, code, layout.rates(rows)),
            "near": log_share(near.rates(chosen.n)[chosen.rows], SMOOTHING),
            "popularity": popular,
            "less_popular": popularity_penalty(layout.popularity(rows), len(known)),
        }

    def save(self, directory: Path) -> None:
        """Write the artifacts of the model."""
        directory.mkdir(parents=True, exist_ok=True)
        training = self.training
        self.taste.save(directory)
        self.new_movies.save(directory)
        save_arrays(directory / "kmeans.npz", centers=self.kmeans.centers)
        save_arrays(directory / "films.npz", **self.base.arrays(), sums=self.base_sums)
        save_arrays(
            directory / "interaction_codes.npz",
            user_ids=training.user_ids, codes=self.codes, bounds=self.bounds,
        )  # fmt: skip
        save_arrays(
            directory / "ratings_csr.npz",
            user_ids=training.user_ids, starts=training.starts,
            films=training.movies.astype(np.int32), half_stars=training.half_stars,
        )  # fmt: skip
        self.cold.vectors.save(directory)
        self.cold.space.save(directory)
        save_json(directory / "mix.json", {
            "weights": dict(self.mix.weights), "bonus": self.mix.bonus,
            "reach": self.mix.reach, "near": self.mix.near,
        })  # fmt: skip
        if self.segments is not None:
            self.segments.save(directory)

    @classmethod
    def load(cls, directory: Path) -> "UserModel":
        """Read what `save` wrote; the version is that of the manifest."""
        sealed = (directory / MANIFEST).is_file()
        kmeans = KMeans(load_arrays(directory / "kmeans.npz")["centers"])
        codes = load_arrays(directory / "interaction_codes.npz")
        ratings = load_arrays(directory / "ratings_csr.npz")
        movies = load_arrays(directory / "films.npz")
        taste = PreferenceScorers.load(directory, movies["vectors"])
        new_movies, space = ColdStartModel.load(directory), ContentEmbedding.load(directory)
        return cls(
            taste=taste,
            kmeans=kmeans,
            base=MovieTable.from_arrays(movies),
            base_sums=movies["sums"],
            cold=ColdRows(
                MovieVectors.load(directory),
                new_movies.prior,
                space,
                layout_of(taste, len(new_movies.prior.bias), space),
            ),
            new_movies=new_movies,
            codes=codes["codes"],
            bounds=codes["bounds"],
            training=Training(
                ratings["user_ids"],
                ratings["starts"],
                ratings["films"].astype(np.int64),
                ratings["half_stars"],
            ),
            mix=Mix(**load_json(directory / "mix.json")),
            segments=Segments.load(directory),
            version=read_manifest(directory).version if sealed else "unpublished",
        )

    @property
    def _layout(self) -> Layout:
        return self.cold.layout

    @cached_property
    def _neighbours(self) -> Neighbours:
        liked = self.training.half_stars >= POSITIVE
        starts = np.concatenate([[0], np.cumsum(liked)])[self.training.starts]
        return Neighbours(self.codes, self.bounds, starts, self.training.movies[liked])

    def code(self, rows: Ints, half_stars: npt.NDArray[np.integer]) -> Matrix:
        """Return the code (e) of a user from rows of base movies and half stars, n each."""
        return self.taste.code(rows, half_stars)

    def _known(self, rated: RatedMovies) -> tuple[Ints, Ints]:
        """Return the rows of the rated base movies and their half stars."""
        rows, known = position_in(self._sorted_ids[0], rated.movie_ids)
        half_stars = np.rint(rated.stars[known] * 2).astype(np.int64)
        return self._sorted_ids[1][rows[known]], half_stars

    @cached_property
    def _sorted_ids(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.base.movie_ids)
        return self.base.movie_ids[order], order

    def _because(
        self, near: Neighbourhood, movies: MovieTable, rows: Ints, rated: RatedMovies
    ) -> list[tuple[tuple[int, float], ...]]:
        """Return for each of r rows up to three liked movies that near users liked as well."""
        liked = rated.movie_ids[rated.liked]
        columns = movies.indexes(liked.tolist())
        if not len(columns):
            return [()] * len(rows)
        ties = near.ties(rows, columns, len(movies))
        outputs = unit(self._layout.outputs(movies.vectors[np.concatenate([rows, columns])]))
        alike = np.maximum(outputs[: len(rows)] @ outputs[len(rows) :].T, 0)
        ties = np.where(ties.sum(axis=1, keepdims=True) > 0, ties, alike)
        ids = movies.movie_ids[columns].tolist()
        found = strongest(ties.astype(np.float32), ties.sum(axis=1).astype(np.float32))
        return [tuple((ids[i], share) for i, share in sources) for sources in found]
