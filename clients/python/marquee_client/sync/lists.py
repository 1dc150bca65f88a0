# Made by `make clients` from marquee_client/aio; do not edit.
"""Lists of films: for viewers, sessions and groups, films like one, and predicted ratings."""

from collections.abc import Iterator, Sequence
from typing import Unpack

from marquee_client import answers, operations
from marquee_client.operation import Call, as_body, as_query
from marquee_client.options import (
    BatchOptions,
    MovieId,
    PageOptions,
    SegmentKind,
    SessionOptions,
    SessionRating,
    ShelvesOptions,
    TogetherOptions,
    UserId,
    ViewerListOptions,
)
from marquee_client.sync.transport import Transport


class Lists(Transport):
    """Calls that give lists."""

    def recommend(
        self, user_id: UserId, **options: Unpack[ViewerListOptions]
    ) -> answers.Recommendations:
        """Return a list for a viewer; anyone has one, also who has never been seen."""
        return self._send(_recommend(user_id, options))

    def recommendation_pages(
        self, user_id: UserId, **options: Unpack[ViewerListOptions]
    ) -> Iterator[answers.Recommendations]:
        """Yield the pages of a viewer's list; no film comes twice."""
        return self._pages(_recommend(user_id, options))

    def recommend_session(self, **options: Unpack[SessionOptions]) -> answers.Recommendations:
        """Return a list for a session that is no user, from what it has seen and rated."""
        return self._send(_recommend_session(options))

    def session_pages(self, **options: Unpack[SessionOptions]) -> Iterator[answers.Recommendations]:
        """Yield the pages of a session's list; no film comes twice."""
        return self._pages(_recommend_session(options))

    def shelves(self, user_id: UserId, **options: Unpack[ShelvesOptions]) -> answers.Shelves:
        """Return the rows of a viewer's page; no film is in two of them."""
        query = as_query(options)
        path = {"user_id": user_id}
        return self._send(Call(operations.LIST_SHELVES, path, query, reader=user_id))

    def batch(self, users: Sequence[UserId], **options: Unpack[BatchOptions]) -> answers.Batch:
        """Return lists for up to 100 viewers, each with a list or a problem."""
        body = as_body({**options, "users": users})
        return self._send(Call(operations.RECOMMEND_BATCH, body=body))

    def together(
        self, users: Sequence[UserId], **options: Unpack[TogetherOptions]
    ) -> answers.Together:
        """Return one list for two to five viewers who watch together."""
        body = as_body({**options, "users": users})
        return self._send(Call(operations.RECOMMEND_TOGETHER, body=body))

    def similar(self, movie_id: MovieId, **options: Unpack[PageOptions]) -> answers.Similar:
        """Return films like one."""
        return self._send(_similar(movie_id, options))

    def similar_pages(
        self, movie_id: MovieId, **options: Unpack[PageOptions]
    ) -> Iterator[answers.Similar]:
        """Yield the pages of films like one; no film comes twice."""
        return self._pages(_similar(movie_id, options))

    def segments(self, kind: SegmentKind) -> answers.Segments:
        """Return the segments of films or of viewers, and what sets each apart."""
        return self._send(Call(operations.LIST_SEGMENTS, {"kind": kind}))

    def recommend_segment(
        self, kind: SegmentKind, segment_id: int, **options: Unpack[PageOptions]
    ) -> answers.SegmentList:
        """Return films of a segment of films, or for a segment of viewers."""
        return self._send(_recommend_segment(kind, segment_id, options))

    def segment_pages(
        self, kind: SegmentKind, segment_id: int, **options: Unpack[PageOptions]
    ) -> Iterator[answers.SegmentList]:
        """Yield the pages of a segment's films; no film comes twice."""
        return self._pages(_recommend_segment(kind, segment_id, options))

    def predict(
        self,
        movie_ids: Sequence[MovieId],
        *,
        user_id: UserId | None = None,
        ratings: Sequence[SessionRating] | None = None,
    ) -> answers.Predictions:
        """Return the rating of each film that a viewer, or a session by its ratings, would give."""
        body = as_body({"movie_ids": movie_ids, "user_id": user_id, "ratings": ratings})
        return self._send(Call(operations.PREDICT, body=body))


def _recommend(user_id: UserId, options: ViewerListOptions) -> Call[answers.Recommendations]:
    path = {"user_id": user_id}
    return Call(operations.RECOMMEND_USER, path, as_query(options), reader=user_id)


def _recommend_session(options: SessionOptions) -> Call[answers.Recommendations]:
    return Call(operations.RECOMMEND_SESSION, body=as_body(options))


def _recommend_segment(
    kind: SegmentKind, segment_id: int, options: PageOptions
) -> Call[answers.SegmentList]:
    path = {"kind": kind, "segment_id": segment_id}
    return Call(operations.RECOMMEND_SEGMENT, path, as_query(options))


def _similar(movie_id: MovieId, options: PageOptions) -> Call[answers.Similar]:
    return Call(operations.LIST_SIMILAR_MOVIES, {"movie_id": movie_id}, as_query(options))
