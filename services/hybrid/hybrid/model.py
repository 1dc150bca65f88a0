"""The hybrid recommender, for few ratings: ALS factors and content in one reduced space."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hybrid.als_fold_in import fold
from marquee.arrays import (
    Floating,
    Ints,
    Mask,
    Matrix,
    Reals,
    direction,
    load_arrays,
    load_json,
    save_arrays,
    save_json,
    unit,
)
from marquee.domain.movies import Movie
from marquee.domain.ratings import POSITIVE
from marquee.domain.recommendation import Reason, Scored, UserHistory
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import KMeans, Pipeline
from marquee.features.popularity import Popularity
from marquee.features.shortlist import RowSelection, all_rows
from marquee.registry.bundle import MANIFEST, read_manifest
from marquee.scoring.als import AlsFactors
from marquee.scoring.blending import weighted
from marquee.scoring.cold_start import NewMovies, with_prior_popularity
from marquee.scoring.explanations import contributions
from marquee.scoring.popularity_signals import base_popularity, cluster_shares, popularity_signal
from marquee.scoring.preference import Cold, PreferenceScorers, less_popular
from marquee.scoring.top_k import top
from marquee.scoring.user_clusters import liked_by_clusters
from marquee.store.codec import DerivedMovieRow

_UNSEALED = "unsealed"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Rated movies that the table has: their rows and half stars, n each."""

    rows: Ints
    half_stars: Ints

    @property
    def liked(self) -> Mask:
        """Which of them are liked."""
        return self.half_stars >= POSITIVE


@dataclass(frozen=True, eq=False)
class Hybrid:
    """A fitted hybrid model; a row of `MovieTable.vectors` is what users teach (d), unit code (e), the
    code's length, prior, cold.

    What they teach is the taste, which begins with the ALS factor (f), and the share of each of k
    clusters of `users` who liked the movie. `prior` is the log popularity that a movie's content
    predicts, `cold` is 1 where nobody had rated the movie, so that its taste is predicted too.
    `base_sums` int64 n × 3: ratings, positive ones and half stars of each base movie.
    """

    movie_vectors: MovieVectors
    pipeline: Pipeline
    taste: PreferenceScorers
    users: KMeans
    new_movies: NewMovies
    weights: dict[str, float]
    base: MovieTable
    base_sums: Ints
    version: str = _UNSEALED

    def movies(self) -> MovieTable:
        """Return a table of the movies that the model was fitted with, the caller's to change."""
        return MovieTable.from_arrays(self.base.arrays()).shortened(self.base_sums)

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        """Return the sums that the model was fitted with, zeros for a movie it does not know."""
        row = self.base.index(movie_id)
        if row < 0:
            return 0, 0, 0
        n, positive, half_stars = self.base_sums[row].tolist()
        return n, positive, half_stars

    def row(self, movie: Movie, sums: tuple[int, int, int]) -> tuple[Matrix, int]:
        """Return the row's vector and cluster of a new or changed movie with its sums."""
        i = self.base.index(movie.movie_id)
        known = i >= 0 and not self.base.vectors[i, -1]
        learned = self.base.vectors[i : i + 1, : self.d] if known else None
        vectors, clusters = self.encode(self.movie_vectors.vector(movie, sums)[None], learned)
        return vectors[0], int(clusters[0])

    def encode(
        self, movie_vectors: Matrix, learned: Matrix | None = None
    ) -> tuple[Matrix, npt.NDArray[np.int16]]:
        """Return the table's vectors and clusters of n movies; cold without `learned` (n × d)."""
        prior, predicted = self.new_movies.predict(movie_vectors[:, self.movie_vectors.content])
        cold = np.full(len(prior), learned is None, np.float32)
        chosen = predicted if learned is None else learned
        rows = with_prior_popularity(movie_vectors, self.movie_vectors, prior, cold)
        factors = chosen[:, : self.factors.f]
        codes, clusters = self.pipeline.apply(self.joined(factors, rows))
        lengths = np.linalg.norm(codes, axis=1)
        numbers = np.stack([lengths, prior, cold], axis=1, dtype=np.float32)
        return np.hstack([chosen, unit(codes), numbers]), clusters

    @property
    def d(self) -> int:
        """How many numbers of a row users teach."""
        return self.taste.d + len(self.users.centers)

    @property
    def factors(self) -> AlsFactors:
        """The ALS factors."""
        return self.taste.factors

    def trained(self, movie_ids: Iterable[int]) -> dict[int, int]:
        """Return movie → row of the factors for those that were rated at the training."""
        rows = self._trained_rows
        return {movie_id: rows[movie_id] for movie_id in movie_ids if movie_id in rows}

    def folded(self, row: DerivedMovieRow, parts: Sequence[bytes]) -> DerivedMovieRow:
        """Return a new movie's row in view of its raters: factor → scaler → encoder → KMeans."""
        f, vector = self.factors.f, row.vector
        if not vector[-1]:
            return row
        factor = fold(self, vector[:f], parts)
        code = vector[self._codes] * vector[-3] + (factor - vector[:f]) @ self._of_factors
        numbers = np.concatenate([[np.linalg.norm(code)], vector[-2:]])
        rest = vector[f : self.d]
        changed = np.concatenate([factor, rest, unit(code), numbers]).astype(np.float32)
        return replace(row, vector=changed, cluster=int(self.pipeline.kmeans.assign(code[None])[0]))

    def joined(self, factors: Matrix, movie_vectors: Matrix) -> Matrix:
        """Return [factors ++ vectors], the tags of movies that have none imputed by their mean."""
        f, tags = factors.shape[1], self.movie_vectors.blocks["tags"]
        rows = np.hstack([factors, movie_vectors])
        block = slice(f + tags.start, f + tags.stop)
        rows[~self.movie_vectors.has_tags(movie_vectors), block] = self.pipeline.scaler.mean[block]
        return rows

    def recommend(
        self,
        user: UserHistory,
        movies: MovieTable,
        mask: Mask,
        k: int,
        popularity: Popularity | None = None,
    ) -> list[Scored]:
        """Return up to k movies where `mask` holds, best first, with the liked ones they rest on."""
        evidence = self.evidence(user, movies)
        chosen = movies.chosen(mask, k)
        scores = self.scores(evidence, movies, popularity, chosen)
        best = top(scores, mask[chosen.rows], k)
        rows = chosen.places(best)
        liked = evidence.liked
        codes = movies.vectors[:, self._codes]
        because = contributions(
            codes[rows], codes[evidence.rows[liked]], evidence.half_stars[liked] - POSITIVE + 1
        )
        sources = movies.movie_ids[evidence.rows[liked]].tolist()
        return [
            Scored(
                movie_id,
                score,
                Reason.BECAUSE_YOU_LIKED if shares else Reason.POPULAR,
                tuple((sources[i], share) for i, share in shares),
            )
            for movie_id, score, shares in zip(
                movies.movie_ids[rows].tolist(), scores[best].tolist(), because, strict=True
            )
        ]

    def evidence(self, user: UserHistory, movies: MovieTable) -> Evidence:
        """Return the user's ratings of movies that the table has."""
        rows = movies.places(user.rated.movie_ids.tolist())
        half_stars = np.rint(user.rated.stars * 2).astype(np.int64)
        return Evidence(rows[rows >= 0], half_stars[rows >= 0])

    def scores(
        self,
        evidence: Evidence,
        movies: MovieTable,
        popularity: Popularity | None = None,
        chosen: RowSelection | None = None,
    ) -> Floating:
        """Return the mixed score of every row, or of those chosen."""
        chosen = all_rows(movies.vectors) if chosen is None else chosen
        scores = weighted(self.signals(evidence, movies, popularity, chosen), self.weights)
        return scores + self.new_movies.offset * chosen.vectors[:, -1]

    def signals(
        self,
        evidence: Evidence,
        movies: MovieTable,
        popularity: Popularity | None = None,
        chosen: RowSelection | None = None,
    ) -> dict[str, Matrix]:
        """Return the signals of the mix by name, one number a row of `movies`, or chosen, each."""
        chosen = all_rows(movies.vectors) if chosen is None else chosen
        prior, cold = chosen.columns(-2, -1)
        base, k = self._base_popularity, len(self.pipeline.kmeans.centers)
        signals = {"popularity": popularity_signal(chosen, base, popularity, prior, cold)}
        if not len(evidence.rows):
            return signals
        codes, liked, rated = chosen.vectors[:, self._codes], evidence.liked, evidence.rows
        unknown = Cold(self.new_movies, prior, cold)
        code = self.taste.code(rated, evidence.half_stars)
        signals |= self.taste.signals(
            rated, evidence.half_stars, movies.vectors, unknown, code, chosen
        )
        known, rates = movies.vectors[rated, self._codes], chosen.vectors[:, self.taste.d : self.d]
        popularity_then = popularity_signal(chosen, base, None, prior, cold)
        return signals | {
            "space": codes @ direction(known[liked]),
            "space_other": codes @ direction(known[~liked]),
            "less_popular": less_popular(popularity_then, len(rated)),
            "cluster": cluster_shares(movies.clusters, rated[liked], chosen, k),
            "viewers": liked_by_clusters(self.users, code, rates),
        }

    @cached_property
    def _base_popularity(self) -> Reals:
        return base_popularity(self.base_sums)

    @cached_property
    def _of_factors(self) -> Matrix:
        """f × e: what a factor adds to a code, scaler and encoder being linear."""
        f, pipeline = self.factors.f, self.pipeline
        added: Matrix = pipeline.encoder.components[:, :f].T / pipeline.scaler.scale[:f, None]
        return added

    @cached_property
    def _trained_rows(self) -> dict[int, int]:
        known = np.flatnonzero(self.base.vectors[:, -1] == 0)
        return dict(zip(self.base.movie_ids[known].tolist(), known.tolist(), strict=True))

    @cached_property
    def _codes(self) -> slice:
        return slice(self.d, self.d + len(self.pipeline.encoder.components))

    def save(self, directory: Path) -> None:
        """Write the artifacts into a directory."""
        directory.mkdir(parents=True, exist_ok=True)
        self.movie_vectors.save(directory)
        self.pipeline.save(directory)
        self.taste.save(directory)
        self.new_movies.save(directory)
        save_arrays(directory / "viewer_clusters.npz", centers=self.users.centers)
        save_arrays(directory / "films.npz", **self.base.arrays(), sums=self.base_sums)
        save_json(directory / "mix.json", self.weights)

    @classmethod
    def load(cls, directory: Path) -> "Hybrid":
        """Read the artifacts of a directory; the version is the manifest's."""
        movies = load_arrays(directory / "films.npz")
        sealed = (directory / MANIFEST).exists()
        return cls(
            MovieVectors.load(directory),
            Pipeline.load(directory),
            PreferenceScorers.load(directory, movies["vectors"]),
            KMeans(load_arrays(directory / "viewer_clusters.npz")["centers"]),
            NewMovies.load(directory),
            load_json(directory / "mix.json"),
            MovieTable.from_arrays(movies),
            movies["sums"],
            read_manifest(directory).version if sealed else _UNSEALED,
        )

    def with_new_movies(self, new_movies: NewMovies) -> "Hybrid":
        """Return the same model with other predictions for movies without ratings."""
        return replace(self, new_movies=new_movies)
