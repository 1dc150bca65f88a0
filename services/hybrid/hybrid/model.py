"""The hybrid recommender, for few ratings: ALS factors and content in one reduced space."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hybrid.als_fold_in import refine_factor
from marquee.arrays import Ints, Mask, Matrix, Vector, direction, load_arrays, save_arrays, unit
from marquee.domain.likes import is_like, like_weights
from marquee.domain.recommendation import Reason, UserHistory
from marquee.features.movie_table import MovieTable
from marquee.features.pipeline import KMeans
from marquee.features.popularity import Popularity
from marquee.features.row_layout import RowLayout
from marquee.features.shortlist import RowSelection, all_rows
from marquee.scoring.blended_model import BlendedModel
from marquee.scoring.scorers.als import AlsFactors
from marquee.scoring.scorers.popularity_signals import cluster_shares
from marquee.scoring.scorers.preference import popularity_penalty
from marquee.scoring.scorers.recent_trend import trend_signals
from marquee.scoring.scorers.user_clusters import cluster_preference
from marquee.store.codec import DerivedMovieRow


@dataclass(frozen=True, eq=False)
class RatedRows:
    """Ratings of movies that the table has: rows, half stars and, if known, times, int64 n each."""

    rows: Ints
    half_stars: Ints
    times: Ints | None = None

    @property
    def liked(self) -> Mask:
        """Mask of the likes."""
        return is_like(self.half_stars)


@dataclass(frozen=True, eq=False, kw_only=True)
class Hybrid(BlendedModel[RatedRows]):
    """A fitted hybrid model; a history is the user's ratings.

    The columns that users teach are those of the preference scorers, which begin with the ALS
    factor, and `rates`, the share of each user cluster that liked the movie. A row also holds
    `code_length`, the norm of the movie's code.
    """

    reason = Reason.BECAUSE_YOU_LIKED

    user_clusters: KMeans

    @cached_property
    def layout(self) -> RowLayout:
        """Layout of a row of the table."""
        return RowLayout(
            **self.preference.widths,
            rates=len(self.user_clusters.centers),
            code=len(self.pipeline.encoder.components),
            code_length=1,
            prior=1,
            cold=1,
        )

    @property
    def factors(self) -> AlsFactors:
        """The ALS factors."""
        return self.preference.factors

    def pipeline_input(self, learned: Matrix, movie_vectors: Matrix) -> Matrix:
        """Return [ALS factors, movie vectors], with the tags of movies without tags imputed.

        Args:
            learned: float32 n × l, the factors first.
            movie_vectors: float32 n × d; missing tags become the mean of the training.
        """
        f, tags = self.factors.f, self.movie_vectors.blocks["tags"]
        rows = np.hstack([self.layout.block(learned, "factor"), movie_vectors])
        block = slice(f + tags.start, f + tags.stop)
        rows[~self.movie_vectors.has_tags(movie_vectors), block] = self.pipeline.scaler.mean[block]
        return rows

    def code_columns(self, codes: Matrix) -> Matrix:
        """Return the norms of n × e codes, n × 1."""
        lengths: Matrix = np.linalg.norm(codes, axis=1)[:, None]
        return lengths

    def trained(self, movie_ids: Iterable[int]) -> dict[int, int]:
        """Return movie → row of the factors for those that were rated at the training."""
        rows = self._trained_rows
        return {movie_id: rows[movie_id] for movie_id in movie_ids if movie_id in rows}

    def folded(self, row: DerivedMovieRow, parts: Sequence[bytes]) -> DerivedMovieRow:
        """Return the row of a movie with its factor refined by its raters, if it was cold.

        The code follows the factor, scaler and encoder being linear, and the cluster the code.

        Args:
            row: the row derived from content.
            parts: packed `RaterEquations` of the partitions of ratings.
        """
        layout, vector = self.layout, row.vector
        if not layout.column(vector, "cold"):
            return row
        before = layout.block(vector, "factor")
        factor = refine_factor(self, before, parts)
        length = layout.column(vector, "code_length")
        moved = np.asarray((factor - before) @ self._code_per_factor, np.float32)
        code = layout.block(vector, "code") * length + moved
        changed = vector.copy()
        changed[layout["factor"]] = factor
        changed[layout["code"]] = unit(code)
        changed[layout["code_length"]] = np.linalg.norm(code)
        cluster = int(self.pipeline.kmeans.assign(code[None])[0])
        return replace(row, vector=changed, cluster=cluster)

    def history(self, user: UserHistory, movies: MovieTable) -> RatedRows:
        """Return the user's ratings of movies that the table has."""
        rows = movies.positions(user.rated.movie_ids.tolist())
        half_stars = np.rint(user.rated.stars * 2).astype(np.int64)
        known, times = rows >= 0, user.rated.times
        return RatedRows(rows[known], half_stars[known], None if times is None else times[known])

    def evidence(self, history: RatedRows) -> tuple[int, Ints | None]:
        """Return the number of ratings, and their times."""
        return len(history.rows), history.times

    def sources(self, history: RatedRows) -> tuple[Ints, npt.NDArray[np.number]]:
        """Return the liked movies, weighted by how much they were liked."""
        liked = history.liked
        return history.rows[liked], like_weights(history.half_stars[liked])

    def signals(
        self,
        history: RatedRows,
        movies: MovieTable,
        popularity: Popularity | None = None,
        selection: RowSelection | None = None,
    ) -> dict[str, Vector]:
        """Return the signals of the blend by name, one number a row of the table, or selected."""
        selection = all_rows(movies.vectors) if selection is None else selection
        imputer = self.imputer(selection)
        current = self.log_popularity(selection, imputer, popularity)
        rated, half_stars, liked = history.rows, history.half_stars, history.liked
        if not len(rated):
            return {"popularity": current}
        user_code = self.preference.code(rated, half_stars)
        codes = self.layout.block(selection.vectors, "code")
        known = movies.vectors[rated, self.layout["code"]]
        rates = self.layout.block(selection.vectors, "rates")
        at_training = self.log_popularity(selection, imputer)
        return {
            "popularity": current,
            **self.preference.signals(
                rated, half_stars, movies.vectors, imputer, user_code, selection
            ),
            "space": codes @ direction(known[liked]),
            "space_other": codes @ direction(known[~liked]),
            **trend_signals(self.trend, selection, popularity),
            "less_popular": popularity_penalty(at_training, len(rated)),
            "cluster": cluster_shares(movies.clusters, rated[liked], selection, self.clusters),
            "viewers": cluster_preference(self.user_clusters, user_code, rates),
        }

    def save_more(self, directory: Path) -> None:
        """Write `viewer_clusters.npz`."""
        save_arrays(directory / "viewer_clusters.npz", centers=self.user_clusters.centers)

    @classmethod
    def load_more(cls, directory: Path) -> dict[str, Any]:
        """Read `viewer_clusters.npz`."""
        return {"user_clusters": KMeans(load_arrays(directory / "viewer_clusters.npz")["centers"])}

    @cached_property
    def _code_per_factor(self) -> Matrix:
        """Change of a code per unit of each factor, f × e: scaler and encoder are linear."""
        f, pipeline = self.factors.f, self.pipeline
        added: Matrix = pipeline.encoder.components[:, :f].T / pipeline.scaler.scale[:f, None]
        return added

    @cached_property
    def _trained_rows(self) -> dict[int, int]:
        rated = np.flatnonzero(self.layout.column(self.base.vectors, "cold") == 0)
        return dict(zip(self.base.movie_ids[rated].tolist(), rated.tolist(), strict=True))
