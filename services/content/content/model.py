"""The content recommender: movies near to what a user saw, by what is known of the movies."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

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
from marquee.domain.recommendation import Reason, Scored, UserHistory
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import Pipeline
from marquee.features.popularity import Popularity
from marquee.features.shortlist import RowSelection, all_rows
from marquee.registry.bundle import MANIFEST, read_manifest
from marquee.scoring.blending import weighted
from marquee.scoring.cold_start import NewMovies, with_prior_popularity
from marquee.scoring.explanations import contributions
from marquee.scoring.popularity_signals import base_popularity, cluster_shares, popularity_signal
from marquee.scoring.preference import Cold, PreferenceScorers, less_popular
from marquee.scoring.top_k import top

_UNSEALED = "unsealed"
_SEEN = 100
"""Only so many of the movies seen last count: taste moves on, and an answer has a time limit."""


@dataclass(frozen=True, eq=False)
class Content:
    """A fitted content model; a row of `MovieTable.vectors` is taste (d), unit code (e), prior, cold.

    `prior` is the log popularity that a movie's content predicts, `cold` is 1 where nobody had rated
    the movie, so that its taste is predicted too. `base_sums` int64 n × 3: ratings, positive ones
    and half stars of each base movie.
    """

    movie_vectors: MovieVectors
    pipeline: Pipeline
    taste: PreferenceScorers
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
        taste = self.base.vectors[i : i + 1, : self.taste.d] if known else None
        vectors, clusters = self.encode(self.movie_vectors.vector(movie, sums)[None], taste)
        return vectors[0], int(clusters[0])

    def encode(
        self, movie_vectors: Matrix, taste: Matrix | None = None
    ) -> tuple[Matrix, npt.NDArray[np.int16]]:
        """Return the table's vectors and clusters of n movies; without `taste` (n × d) cold ones."""
        prior, predicted = self.new_movies.predict(movie_vectors[:, self.movie_vectors.content])
        cold = np.full(len(prior), taste is None, np.float32)
        codes, clusters = self.pipeline.apply(
            with_prior_popularity(movie_vectors, self.movie_vectors, prior, cold)
        )
        chosen = predicted if taste is None else taste
        return np.hstack([chosen, unit(codes), prior[:, None], cold[:, None]]), clusters

    def similar(self, movie_id: int, movies: MovieTable, mask: Mask, k: int) -> list[Scored]:
        """Return up to k movies where `mask` holds, nearest first; none for an unknown movie.

        The score is the cosine of the codes.
        """
        source = movies.index(movie_id)
        if source < 0:
            return []
        codes = movies.vectors[:, self._codes]
        scores = codes @ codes[source]
        others = mask.copy()
        others[source] = False
        return [
            Scored(
                int(movies.movie_ids[row]), float(scores[row]), Reason.SIMILAR_TO_VIEWED,
                ((movie_id, 1.0),),
            )
            for row in top(scores, others, k)
        ]  # fmt: skip

    def recommend(
        self,
        user: UserHistory,
        movies: MovieTable,
        mask: Mask,
        k: int,
        popularity: Popularity | None = None,
    ) -> list[Scored]:
        """Return up to k movies where `mask` holds, nearest to what was viewed or liked first."""
        seen = self.seen(user, movies)
        chosen = movies.chosen(mask, k)
        scores = self.scores(seen, movies, popularity, chosen)
        best = top(scores, mask[chosen.rows], k)
        rows = chosen.places(best)
        codes, sources = movies.vectors[:, self._codes], movies.movie_ids[seen].tolist()
        because = contributions(codes[rows], codes[seen], np.ones(len(seen)))
        return [
            Scored(
                movie_id,
                score,
                Reason.SIMILAR_TO_VIEWED if shares else Reason.POPULAR,
                tuple((sources[i], share) for i, share in shares),
            )
            for movie_id, score, shares in zip(
                movies.movie_ids[rows].tolist(), scores[best].tolist(), because, strict=True
            )
        ]

    def seen(self, user: UserHistory, movies: MovieTable) -> Ints:
        """Return the rows of movies that the user liked or viewed, the newest 100 of them."""
        liked = user.rated.movie_ids[user.rated.liked].tolist()
        wanted = dict.fromkeys((*liked, *user.viewed.tolist()))
        return movies.indexes(list(wanted)[-_SEEN:])

    def scores(
        self,
        seen: Ints,
        movies: MovieTable,
        popularity: Popularity | None = None,
        chosen: RowSelection | None = None,
    ) -> Floating:
        """Return the mixed score of every row, or of those chosen."""
        chosen = all_rows(movies.vectors) if chosen is None else chosen
        scores = weighted(self.signals(seen, movies, popularity, chosen), self.weights)
        return scores + self.new_movies.offset * chosen.vectors[:, -1]

    def signals(
        self,
        seen: Ints,
        movies: MovieTable,
        popularity: Popularity | None = None,
        chosen: RowSelection | None = None,
    ) -> dict[str, Matrix]:
        """Return the signals of the mix by name, one number a row of `movies`, or chosen, each."""
        chosen = all_rows(movies.vectors) if chosen is None else chosen
        codes, (prior, cold) = chosen.vectors[:, self._codes], chosen.columns(-2, -1)
        base, k = self._base_popularity, len(self.pipeline.kmeans.centers)
        signals = {"popularity": popularity_signal(chosen, base, popularity, prior, cold)}
        if not len(seen):
            return signals
        unknown, known = Cold(self.new_movies, prior, cold), movies.vectors[seen, self._codes]
        signals |= self.taste.signals(seen, None, movies.vectors, unknown, chosen=chosen)
        popularity_then = popularity_signal(chosen, base, None, prior, cold)
        return signals | {
            "content": codes @ direction(known),
            "nearest": (known[-5:] @ codes.T).max(axis=0),
            "less_popular": less_popular(popularity_then, len(seen)),
            "cluster": cluster_shares(movies.clusters, seen, chosen, k),
        }

    @cached_property
    def _base_popularity(self) -> Reals:
        return base_popularity(self.base_sums)

    @cached_property
    def _codes(self) -> slice:
        return slice(self.taste.d, self.taste.d + len(self.pipeline.encoder.components))

    def save(self, directory: Path) -> None:
        """Write the artifacts into a directory."""
        directory.mkdir(parents=True, exist_ok=True)
        self.movie_vectors.save(directory)
        self.pipeline.save(directory)
        self.taste.save(directory)
        self.new_movies.save(directory)
        save_arrays(directory / "films.npz", **self.base.arrays(), sums=self.base_sums)
        save_json(directory / "mix.json", self.weights)

    @classmethod
    def load(cls, directory: Path) -> "Content":
        """Read the artifacts of a directory; the version is the manifest's."""
        movies = load_arrays(directory / "films.npz")
        sealed = (directory / MANIFEST).exists()
        return cls(
            MovieVectors.load(directory),
            Pipeline.load(directory),
            PreferenceScorers.load(directory, movies["vectors"]),
            NewMovies.load(directory),
            load_json(directory / "mix.json"),
            MovieTable.from_arrays(movies),
            movies["sums"],
            read_manifest(directory).version if sealed else _UNSEALED,
        )

    def with_new_movies(self, new_movies: NewMovies) -> "Content":
        """Return the same model with other predictions for movies without ratings."""
        return replace(self, new_movies=new_movies)
