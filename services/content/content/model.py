"""The content recommender: movies near those that a user liked or viewed, by their content."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask, Matrix, Vector, direction
from marquee.domain.recommendation import Reason, Scored, UserHistory
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import Popularity
from marquee.features.row_layout import RowLayout
from marquee.features.shortlist import RowSelection, all_rows
from marquee.scoring.blended_model import BlendedModel
from marquee.scoring.popularity_signals import cluster_shares
from marquee.scoring.preference import popularity_penalty
from marquee.scoring.top_k import top

_HISTORY = 100
"""Newest movies of a history that count: preferences drift, and an answer has a time limit."""
_NEAREST = 5
"""Newest movies of a history for the signal `nearest`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Content(BlendedModel[Ints]):
    """A fitted content model; a history is the rows of movies liked or viewed, oldest first.

    The columns that users teach are those of the preference scorers.
    """

    reason = Reason.SIMILAR_TO_VIEWED

    @cached_property
    def layout(self) -> RowLayout:
        """Layout of a row of the table."""
        code = len(self.pipeline.encoder.components)
        return RowLayout(**self.preference.widths, code=code, prior=1, cold=1)

    def pipeline_input(self, learned: Matrix, movie_vectors: Matrix) -> Matrix:  # noqa: ARG002
        """Return the movie vectors: the space is one of content and popularity alone."""
        return movie_vectors

    def history(self, user: UserHistory, movies: MovieTable) -> Ints:
        """Return the rows of movies that the user liked or viewed, the newest hundred."""
        liked = user.rated.movie_ids[user.rated.liked].tolist()
        movie_ids = dict.fromkeys((*liked, *user.viewed.tolist()))
        return movies.indexes(list(movie_ids)[-_HISTORY:])

    def sources(self, history: Ints) -> tuple[Ints, npt.NDArray[np.number]]:
        """Return the history, all movies at weight 1."""
        return history, np.ones(len(history))

    def similar(self, movie_id: int, movies: MovieTable, mask: Mask, k: int) -> list[Scored]:
        """Return up to k movies where `mask` holds, nearest first; none for an unknown movie.

        The score is the cosine of the codes.
        """
        source = movies.index(movie_id)
        if source < 0:
            return []
        codes = self.layout.block(movies.vectors, "code")
        scores = codes @ codes[source]
        others = mask.copy()
        others[source] = False
        because = ((movie_id, 1.0),)
        return [
            Scored(int(movies.movie_ids[row]), float(scores[row]), self.reason, because)
            for row in top(scores, others, k)
        ]

    def signals(
        self,
        history: Ints,
        movies: MovieTable,
        popularity: Popularity | None = None,
        selection: RowSelection | None = None,
    ) -> dict[str, Vector]:
        """Return the signals of the blend by name, one number a row of the table, or selected."""
        selection = all_rows(movies.vectors) if selection is None else selection
        imputer = self.imputer(selection)
        current = self.log_popularity(selection, imputer, popularity)
        if not len(history):
            return {"popularity": current}
        codes = self.layout.block(selection.vectors, "code")
        known = movies.vectors[history, self.layout["code"]]
        at_training = self.log_popularity(selection, imputer)
        return {
            "popularity": current,
            **self.preference.signals(history, None, movies.vectors, imputer, selection=selection),
            "content": codes @ direction(known),
            "nearest": (known[-_NEAREST:] @ codes.T).max(axis=0),
            "less_popular": popularity_penalty(at_training, len(history)),
            "cluster": cluster_shares(movies.clusters, history, selection, self.clusters),
        }
