"""The content recommender: movies like those that a user liked or viewed."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask, Matrix, Vector, direction
from marquee.domain.movies import Movie
from marquee.domain.recommendation import Reason, Scored, UserHistory
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import Popularity
from marquee.features.row_layout import RowLayout
from marquee.features.shortlist import RowSelection, all_rows
from marquee.scoring.blended_model import BlendedModel, Explanation
from marquee.scoring.explanations import shares_of_largest
from marquee.scoring.scorers.likeness import LIKENESS_FILE, CoLikingPredictor, Likeness, NearFloors
from marquee.scoring.scorers.popularity_signals import cluster_shares
from marquee.scoring.scorers.preference import popularity_penalty
from marquee.scoring.scorers.recent_trend import trend_signals
from marquee.scoring.top_k import top

_HISTORY = 100
"""Newest movies of a history that count: preferences drift, and an answer has a time limit."""
_NEAREST = 3
"""Newest movies of a history for the signal `nearest`."""
_SIMILAR_SHARE = 0.25
"""Share of the places of a list, from its top on, that are similar movies'."""
_NEAR_BONUS = 0.2
"""Likeness that being near adds, less by the square root of the number of movies: with one movie to
go by, nothing else is known."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Content(BlendedModel[Ints]):
    """A fitted content model; a history is the rows of movies liked or viewed, oldest first.

    The columns that users teach are those of the preference scorers. A row also holds `likeness`
    (`marquee.scoring.scorers.likeness`) and `floor`, the likeness from which another movie is near.

    Attributes:
        likeness: encoder and measure of likeness; None in bundles of older code, which compare the
            codes of the reduced space.
    """

    reason = Reason.SIMILAR_TO_VIEWED
    pool = 60

    likeness: Likeness | None = None

    @cached_property
    def layout(self) -> RowLayout:
        """Layout of a row of the table."""
        widths = {**self.preference.widths, "code": len(self.pipeline.encoder.components)}
        if self.likeness is None:
            return RowLayout(**widths, prior=1, cold=1)
        return RowLayout(**widths, prior=1, cold=1, likeness=self.likeness.layout.width, floor=1)

    def pipeline_input(self, learned: Matrix, movie_vectors: Matrix) -> Matrix:  # noqa: ARG002
        """Return the movie vectors: the space is one of content and popularity alone."""
        return movie_vectors

    def history(self, user: UserHistory, movies: MovieTable) -> Ints:
        """Return the rows of movies that the user liked or viewed, the newest hundred."""
        liked = user.rated.movie_ids[user.rated.liked].tolist()
        movie_ids = dict.fromkeys((*liked, *user.viewed.tolist()))
        return movies.indexes(list(movie_ids)[-_HISTORY:])

    def evidence(self, history: Ints) -> tuple[int, Ints | None]:
        """Return the number of movies; when they were seen is not known."""
        return len(history), None

    def sources(self, history: Ints) -> tuple[Ints, npt.NDArray[np.number]]:
        """Return the history, all movies at weight 1."""
        return history, np.ones(len(history))

    def row(self, movie: Movie, sums: tuple[int, int, int]) -> tuple[Vector, int]:
        """Return the vector and the cluster of a new or changed movie with its sums."""
        vector, cluster = super().row(movie, sums)
        if self.likeness is None:
            return vector, cluster
        likeness = self._likeness_row(self.likeness, movie)
        return np.concatenate([vector, likeness[0], self._near_floors.of(likeness)]), cluster

    def arranged(self, items: Sequence[Scored]) -> Sequence[Scored]:
        """Return the best candidates so that similar movies have their share of the first places.

        Popular movies fill a list up, they do not make it.
        """
        return with_similar(items, self.reason)

    def similar(self, movie_id: int, movies: MovieTable, mask: Mask, k: int) -> list[Scored]:
        """Return up to k movies where `mask` holds, most alike first; none for an unknown movie.

        The score is the likeness.
        """
        return self.similar_to_each([movie_id], movies, mask, k)[0]

    def similar_to_each(
        self, movie_ids: Sequence[int], movies: MovieTable, mask: Mask, k: int
    ) -> list[list[Scored]]:
        """Return the movies like each of some movies, as `similar` does; the table is read once."""
        sources = movies.positions(movie_ids)
        known = np.flatnonzero(sources >= 0)
        likenesses = self._likenesses_to(sources[known], movies)
        lists: list[list[Scored]] = [[] for _ in movie_ids]
        for place, scores in zip(known.tolist(), likenesses, strict=True):
            others, because = mask.copy(), ((movie_ids[place], 1.0),)
            others[sources[place]] = False
            rows = top(scores, others, k)
            alike = zip(movies.movie_ids[rows].tolist(), scores[rows].tolist(), strict=True)
            lists[place] = [Scored(i, score, self.reason, because) for i, score in alike]
        return lists

    def explain(self, history: Ints, movies: MovieTable, rows: Ints) -> list[Explanation]:
        """Return the reason of each of k recommended rows and the movies that it rests on.

        A movie is similar if it is near one of the history's; others are popular ones of the
        history's genres, or merely popular.
        """
        if self.likeness is None or not len(history):
            return super().explain(history, movies, rows)
        table, block = movies.vectors, self.layout["likeness"]
        sources, (vectors, titles) = table[history, block], self.likeness.parts(table[rows, block])
        likenesses = self.likeness.to_parts(sources, vectors, titles)
        is_near = self._near(likenesses, history, movies, vectors)
        parts = np.where(is_near, np.maximum(likenesses, 0), np.float32(0)).T
        near_rows = np.flatnonzero(is_near.any(axis=0))
        near = dict(zip(near_rows.tolist(), shares_of_largest(parts[near_rows]), strict=True))
        source_ids = movies.movie_ids[history].tolist()
        genres = np.bitwise_or.reduce(movies.genres[history])
        in_genres = (movies.genres[rows] & genres > 0).tolist()
        return [
            (self.reason, tuple((source_ids[i], share) for i, share in near[place]))
            if near.get(place)
            else (Reason.POPULAR_IN_YOUR_GENRES if is_in_genres else Reason.POPULAR, ())
            for place, is_in_genres in enumerate(in_genres)
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
        at_training = self.log_popularity(selection, imputer)
        return {
            "popularity": current,
            **self.preference.signals(history, None, movies.vectors, imputer, selection=selection),
            **self._likeness_signals(history, movies, selection),
            **trend_signals(self.trend, selection, popularity),
            "less_popular": popularity_penalty(at_training, len(history)),
            "cluster": cluster_shares(movies.clusters, history, selection, self.clusters),
        }

    def save_more(self, directory: Path) -> None:
        """Write `likeness.npz`."""
        if self.likeness is not None:
            self.likeness.save(directory)

    @classmethod
    def load_more(cls, directory: Path) -> dict[str, Any]:
        """Read `likeness.npz` if there is one."""
        if not (directory / LIKENESS_FILE).exists():
            return {}
        return {"likeness": Likeness.load(directory)}

    def _likeness_signals(
        self, history: Ints, movies: MovieTable, selection: RowSelection
    ) -> dict[str, Vector]:
        """Return the likeness to the whole history, and to the nearest of its newest movies."""
        vectors = self._columns("vector", movies, selection)
        known = self._columns("vector", movies)[history]
        # One product at a time: BLAS is faster so, for a few rows against very many.
        nearest = np.stack([vectors @ vector for vector in known[-_NEAREST:]])
        if len(history) <= _NEAREST:
            content = nearest.sum(axis=0) / max(float(np.linalg.norm(known.sum(axis=0))), 1e-6)
        else:
            content = vectors @ direction(known)
        if self.likeness is not None:
            newest = history[-_NEAREST:]
            sources = self.layout.block(movies.vectors[newest], "likeness")
            titles = self._columns("title", movies, selection)
            nearest = self.likeness.to_parts(sources, vectors, titles, nearest)
            bonus = np.float32(_NEAR_BONUS / np.sqrt(len(newest)))
            nearest = nearest + bonus * self._near(nearest, newest, movies, vectors)
        return {"content": content, "nearest": nearest.max(axis=0)}

    def _near(self, likenesses: Matrix, history: Ints, movies: MovieTable, vectors: Matrix) -> Mask:
        """Return which of n vectors are near which of m movies of a history, bool m × n."""
        assert self.likeness is not None
        floors = movies.vectors[history, self.layout.start("floor")]
        sources = self._columns("vector", movies)[history]
        return self.likeness.near(likenesses, sources, vectors, floors)

    def _columns(
        self, name: str, movies: MovieTable, selection: RowSelection | None = None
    ) -> Matrix:
        """Return the columns that the selected rows are compared by: `vector` or `title`."""
        if self.likeness is None:
            block = self.layout["code"]
        else:
            start, part = self.layout.start("likeness"), self.likeness.layout[name]
            block = slice(start + part.start, start + part.stop)
        if selection is None or isinstance(selection.rows, slice):
            return movies.contiguous(block, by_column=name == "title")
        return selection.vectors[:, block]

    def _likenesses_to(self, sources: Ints, movies: MovieTable) -> Matrix:
        """Return the likenesses of all movies to those of m rows, m × n."""
        vectors = self._columns("vector", movies)
        # One product at a time: BLAS is faster so, for a few rows against very many.
        products = np.empty((len(sources), len(vectors)), np.float32)
        for product, source in zip(products, sources.tolist(), strict=True):
            product[:] = vectors @ vectors[source]
        if self.likeness is None or not len(sources):
            return products
        rows = self.layout.block(movies.vectors[sources], "likeness")
        titles = self._columns("title", movies)
        return self.likeness.to_parts(rows, vectors, titles, products)

    def _likeness_row(self, likeness: Likeness, movie: Movie) -> Matrix:
        """Return the likeness row of a movie, 1 × width; a cold one's co-liking is predicted."""
        vector = self.movie_vectors.vector(movie)[None]
        content = likeness.content(vector, self.movie_vectors.blocks)
        titles = likeness.titles([movie.title])
        i = self.base.index(movie.movie_id)
        if i >= 0 and not self.layout.column(self.base.vectors[i], "cold"):
            co_liking = likeness.co_liking(self._base_likeness[i : i + 1])
        else:
            co_liking = self._co_liking_predictor.predict(content, titles)
        return likeness.rows(co_liking, content, titles)

    @cached_property
    def _base_likeness(self) -> Matrix:
        return self.layout.block(self.base.vectors, "likeness")

    @cached_property
    def _near_floors(self) -> NearFloors:
        assert self.likeness is not None
        return NearFloors(self.likeness, self._base_likeness)

    @cached_property
    def _co_liking_predictor(self) -> CoLikingPredictor:
        assert self.likeness is not None
        is_known = self.layout.column(self.base.vectors, "cold") == 0
        return CoLikingPredictor(self.likeness, self._base_likeness[is_known])


def with_similar(items: Sequence[Scored], reason: Reason) -> list[Scored]:
    """Return items in their order, but that those of a reason have their share of the first places.

    Scores still fall: one that moves up has the score of what it passes.
    """
    places = {item.movie_id: place for place, item in enumerate(items)}
    others = deque(item for item in items if item.reason is not reason)
    similar = deque(item for item in items if item.reason is reason)
    ranked: list[Scored] = []
    shown = 0
    while others or similar:
        is_due = shown < int(_SIMILAR_SHARE * (len(ranked) + 1))
        is_next = bool(similar) and (
            not others or is_due or places[similar[0].movie_id] < places[others[0].movie_id]
        )
        ranked.append(similar.popleft() if is_next else others.popleft())
        shown += is_next
    scores = np.maximum.accumulate([item.score for item in reversed(ranked)])[::-1].tolist()
    return [
        item if item.score == score else replace(item, score=score)
        for item, score in zip(ranked, scores, strict=True)
    ]
