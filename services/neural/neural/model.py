"""The neural model: preference by autoencoder and item weights, stars by the RatingPredictor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save as save_tensors

from marquee.arrays import (
    Integer,
    Ints,
    Mask,
    Matrix,
    check_finite,
    load_arrays,
    load_json,
    save_arrays,
    save_json,
    unit,
)
from marquee.domain.movies import Movie
from marquee.domain.ratings import POSITIVE, RatedMovies
from marquee.domain.recommendation import Reason, Scored, UserHistory
from marquee.features.dataset import position_in
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import KMeans, Pipeline
from marquee.features.popularity import Popularity
from marquee.features.shortlist import RowSelection
from marquee.registry.bundle import MANIFEST, read_manifest
from marquee.scoring.autoencoder import Autoencoder
from marquee.scoring.blending import standardise
from marquee.scoring.explanations import contributions
from marquee.scoring.linear_autoencoder import LinearAutoencoder
from marquee.scoring.preference import log_share
from marquee.scoring.ridge import Ridge
from marquee.scoring.top_k import top
from neural.confidence import Confidence
from neural.item_explanations import item_explanations
from neural.movie_rows import Layout, NetworkMovieRows
from neural.rating_predictor import RatingPredictor, UserVector

_FLOOR = 0.02
"""Scores of item weights near 0 are noise: their logs tell little below this."""

POOL = 200
"""Movies, the best by preference, that the predicted rating may put in another order."""


@dataclass(frozen=True)
class Mix:
    """How signals become a score: learned `weights`, and the `bonus` of a movie without ratings."""

    weights: Mapping[str, float]
    bonus: float


@dataclass(frozen=True, eq=False)
class Neural:
    """Fitted networks; `base` is the table of movies at the training, `base_sums` int64 n × 3.

    `inputs` and `bias` are the autoencoder's, `kmeans` clusters its codes of users; `many` are
    item weights for long histories. `extras`: artifacts that only a training writes, by file name.
    """

    base: MovieTable
    base_sums: Ints
    movie_rows: NetworkMovieRows
    predictor: RatingPredictor
    inputs: Matrix
    bias: Matrix
    kmeans: KMeans
    many: LinearAutoencoder
    mix: Mix
    confidence: Confidence = Confidence()
    version: str = "unpublished"
    extras: Mapping[str, bytes] = field(default_factory=dict)

    def movies(self) -> MovieTable:
        """Return a fresh table of the movies known at the training."""
        return MovieTable.from_arrays(self.base.arrays()).shortened(self.base_sums)

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        """Return the ratings, positive ones and half stars of a movie at the training."""
        i = self.base.index(movie_id)
        n, positive, half = self.base_sums[i].tolist() if i >= 0 else (0, 0, 0)
        return n, positive, half

    def row(self, movie: Movie, sums: tuple[int, int, int]) -> tuple[Matrix, int]:  # noqa: ARG002
        """Return the row and cluster of a new or changed movie: vector → scaler → encoder → KMeans.

        A movie that had ratings at the training keeps what they taught; its cluster follows content.
        """
        rows, clusters = self.movie_rows.cold(self.movie_rows.raw([movie]), self.predictor)
        i = self.base.index(movie.movie_id)
        known = i >= 0 and self.base_sums[i, 0] > 0
        if i >= 0:  # it was there to be rated: no newer than others
            rows[0, -1] = 0
        return (self.base.vectors[i] if known else rows[0]), int(clusters[0])

    def encode(self, rated: RatedMovies) -> tuple[Matrix, int]:
        """Return the code (e) of a user and his cluster."""
        code = self.code(*self._known(rated))
        return code, int(self.kmeans.assign(unit(code[None]))[0])

    def predict(
        self, rated: RatedMovies, movie_ids: Sequence[int], movies: MovieTable | None = None
    ) -> tuple[Matrix, Matrix]:
        """Return ratings in stars (n, 0.5 to 5), and how sure each is (n, 0 to 1; `Confidence`).

        Without a rating of the user it is the movie's mean, for an unknown movie that of all: no
        prediction of the network, so the confidence is 0.
        """
        table = self.base if movies is None else movies
        found = np.array([table.index(movie_id) for movie_id in movie_ids], np.int64)
        stars = np.full(len(found), self.predictor.mean, np.float32)
        confidences = np.zeros(len(found), np.float32)
        rows = table.vectors[found[found >= 0]]
        known, half_stars = self._known(rated)
        if len(known):
            user, rated_rows = self._user(known, half_stars), self._layout.rated(rows)
            stars[found >= 0] = self.predictor.predict(user, rated_rows)
            confidences[found >= 0] = self.confidence.of(
                user.log_count, rated_rows.log_counts, user.spread
            )
        else:
            stars[found >= 0] = self._layout.means(rows)
        return np.clip(stars, 0.5, 5), confidences

    def recommend(
        self,
        user: UserHistory,
        movies: MovieTable,
        mask: Mask,
        k: int,
        popularity: Popularity | None = None,
    ) -> list[Scored]:
        """Return up to k movies where `mask` is true, best first, each with what it rests on."""
        known, half_stars = self._known(user.rated)
        chosen = movies.chosen(mask, k)
        signals = self.signals(known, half_stars, chosen, popularity)
        scores = self.total(signals, self._layout.coldness(chosen.vectors))
        pool = top(scores, mask[chosen.rows], max(POOL, k))
        final, rated = scores[pool], pool[:POOL]
        final[:POOL] += self._rating_part(known, half_stars, chosen.vectors[rated])
        # What is beyond stays behind, so that a longer list begins with the shorter one.
        order = np.argsort(-final[:POOL], kind="stable")
        order = np.concatenate([order, np.arange(len(rated), len(pool))])[:k]
        rows = chosen.places(pool[order])
        because = self._because(known[half_stars >= POSITIVE], movies, rows)
        ids, found = movies.movie_ids[rows].tolist(), final[order].tolist()
        return [
            Scored(movie_id, score, Reason.PREDICTED_FOR_YOU, movies_with)
            for movie_id, score, movies_with in zip(ids, found, because, strict=True)
        ]

    def signals(
        self,
        known: Ints,
        half_stars: Integer,
        chosen: RowSelection,
        popularity: Popularity | None = None,
    ) -> dict[str, Matrix]:
        """Return what speaks for each chosen movie, m, by name: logs of how likely it is liked."""
        layout, rows = self._layout, chosen.vectors
        favour = layout.popularity(rows)
        if popularity is not None:
            live = popularity.popularity[chosen.rows].astype(np.float32)
            favour = np.where(layout.coldness(rows) > 0, np.maximum(live, favour), live)
        return {
            "preference": layout.outputs(rows) @ self.code(known, half_stars) + layout.prior(rows),
            "many": log_share(self.many.scores(known, half_stars, chosen), _FLOOR),
            "popularity": favour,
        }

    def total(self, signals: Mapping[str, Matrix], coldness: Matrix) -> Matrix:
        """Return the scores, n; a movie without ratings has no item weights but its preference."""
        weights = self.mix.weights
        many = signals["many"] + coldness * (signals["preference"] - signals["many"])
        total: Matrix = (
            np.float32(weights.get("preference", 0)) * signals["preference"]
            + np.float32(weights.get("many", 0)) * many
            + np.float32(weights.get("popularity", 0)) * signals["popularity"]
            + np.float32(self.mix.bonus) * coldness
        ).astype(np.float32)
        return total

    def ratings_of(self, known: Ints, half_stars: Integer, rows: Matrix) -> Matrix:
        """Return the z-scores of the predicted ratings of movie rows, m: the last signal."""
        user = self._user(known, half_stars)
        ratings = self.predictor.predict(user, self._layout.rated(rows))
        scaled: Matrix = standardise(ratings, np.ones(len(ratings), bool)).astype(np.float32)
        return scaled

    def code(self, known: Ints, half_stars: Integer) -> Matrix:
        """Return the code (e) of a user from rows of base movies and half stars, n each."""
        return self._network.code(known, half_stars >= POSITIVE)

    def _rating_part(self, known: Ints, half_stars: Integer, rows: Matrix) -> Matrix:
        weight = self.mix.weights.get("rating", 0.0)
        if not weight or not len(known):
            return np.zeros(len(rows), np.float32)
        return np.float32(weight) * self.ratings_of(known, half_stars, rows)

    def _user(self, known: Ints, half_stars: Integer) -> UserVector:
        biases = self._layout.rated(self.base.vectors).biases[known]
        return self.predictor.user(known, (half_stars / 2).astype(np.float32), biases)

    def _because(
        self, liked: Ints, movies: MovieTable, rows: Ints
    ) -> list[tuple[tuple[int, float], ...]]:
        """Return for each of r rows up to three liked movies whose item weights speak for it."""
        spoken = item_explanations(self.many, rows, liked, len(movies))
        mute = [i for i, sources in enumerate(spoken) if not sources]
        if mute:  # no item weights: movies alike in the autoencoder's outputs
            outputs = self._layout.outputs(movies.vectors)
            codes, weights = unit(outputs[rows[mute]]), np.ones(len(liked), np.float32)
            alike = contributions(codes, unit(outputs[liked]), weights)
            for i, sources in zip(mute, alike, strict=True):
                spoken[i] = sources
        ids = movies.movie_ids[liked].tolist()
        return [tuple((ids[i], share) for i, share in sources) for sources in spoken]

    def _known(self, rated: RatedMovies) -> tuple[Ints, Integer]:
        """Return the rows of the rated base movies and their half stars."""
        places, known = position_in(self._sorted_ids[0], rated.movie_ids)
        half_stars = np.rint(rated.stars[known] * 2).astype(np.int64)
        return self._sorted_ids[1][places[known]], half_stars

    @property
    def _layout(self) -> Layout:
        return self.movie_rows.layout

    @cached_property
    def _network(self) -> Autoencoder:
        rows = self.base.vectors
        return Autoencoder(
            self.inputs, self.bias, self._layout.outputs(rows), self._layout.prior(rows)
        )

    @cached_property
    def _sorted_ids(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.base.movie_ids)
        return self.base.movie_ids[order], order

    def save(self, directory: Path) -> None:
        """Write the artifacts of the model."""
        directory.mkdir(parents=True, exist_ok=True)
        rows = self.movie_rows
        save_arrays(directory / "films.npz", **self.base.arrays(), sums=self.base_sums)
        save_arrays(directory / "autoencoder.npz", inputs=self.inputs, bias=self.bias)
        save_arrays(directory / "user_kmeans.npz", centers=self.kmeans.centers)
        save_arrays(directory / "new_films.npz", weights=rows.ridge.weights, bias=rows.ridge.bias)
        rows.vectors.save(directory)
        rows.pipeline.save(directory)
        self.many.save(directory, "many_ratings")
        weights = {name: np.ascontiguousarray(w) for name, w in self.predictor.weights.items()}
        path = directory / "neural_model.safetensors"
        check_finite(path, weights)
        path.write_bytes(save_tensors(weights))
        save_json(directory / "mix.json", {
            "weights": dict(self.mix.weights), "bonus": self.mix.bonus,
            "mean": self.predictor.mean, "confidence": self.confidence.to_stored(),
        })  # fmt: skip
        for name, data in self.extras.items():
            (directory / name).write_bytes(data)

    @classmethod
    def load(cls, directory: Path) -> "Neural":
        """Read what serving needs of what `save` wrote; the version is that of the manifest."""
        movies = load_arrays(directory / "films.npz")
        network = load_arrays(directory / "autoencoder.npz")
        ridge = load_arrays(directory / "new_films.npz")
        mix = load_json(directory / "mix.json")
        path = directory / "neural_model.safetensors"
        weights = load_file(path)
        check_finite(path, weights)
        predictor = RatingPredictor(weights, mix["mean"])
        sealed = (directory / MANIFEST).is_file()
        return cls(
            MovieTable.from_arrays(movies),
            movies["sums"],
            NetworkMovieRows(
                MovieVectors.load(directory),
                Pipeline.load(directory),
                Ridge(ridge["weights"], ridge["bias"]),
                Layout(predictor.d, len(network["bias"])),
            ),
            predictor,
            network["inputs"],
            network["bias"],
            KMeans(load_arrays(directory / "user_kmeans.npz")["centers"]),
            LinearAutoencoder.load(directory, "many_ratings"),
            Mix(mix["weights"], mix["bonus"]),
            Confidence.from_stored(mix.get("confidence", {})),
            read_manifest(directory).version if sealed else "unpublished",
        )
