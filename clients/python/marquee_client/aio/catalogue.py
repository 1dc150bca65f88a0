"""The catalogue: search, films, genres; and events of any kind."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Unpack

from marquee_client import answers, operations
from marquee_client.aio.transport import AsyncTransport
from marquee_client.operation import Call, as_body, as_query
from marquee_client.options import MovieId, SearchOptions, UserId
from marquee_client.requests import MovieBody, MoviePatch


class AsyncCatalogue(AsyncTransport):
    """Calls about films, and the one that takes events."""

    async def search(self, query: str = "", **options: Unpack[SearchOptions]) -> answers.Movies:
        """Return a page of films by words of their titles; all films without words."""
        return await self._send(_search(query, options))

    def search_pages(
        self, query: str = "", **options: Unpack[SearchOptions]
    ) -> AsyncIterator[answers.Movies]:
        """Yield the pages of films by words of their titles."""
        return self._pages(_search(query, options))

    async def movie(self, movie_id: MovieId) -> answers.Movie:
        """Return a film."""
        return await self._send(Call(operations.GET_MOVIE, {"movie_id": movie_id}))

    async def genres(self) -> answers.Genres:
        """Return the genres of the catalogue."""
        return await self._send(Call(operations.LIST_GENRES))

    async def add_movie(
        self,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
        **movie: Unpack[MovieBody],
    ) -> answers.AddedMovie:
        """Add a film; without `movie_id` the gateway gives it one.

        Args:
            reason: For the audit.
            idempotency_key: The caller's own, if the caller itself may repeat the call.
            movie: Its fields.
        """
        body = as_body(movie)
        call = Call(operations.ADD_MOVIE, body=body, key=idempotency_key)
        return await self._send(call.asking(reason=reason))

    async def update_movie(
        self,
        movie_id: MovieId,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[MoviePatch],
    ) -> answers.Receipt:
        """Change fields of a film; None clears one, those left out stay.

        Args:
            movie_id: The film.
            reason: For the audit.
            idempotency_key: The caller's own, if the caller itself may repeat the call.
            fields: What changes.
        """
        path, body = {"movie_id": movie_id}, dict(fields)
        call = Call(operations.UPDATE_MOVIE, path, body=body, key=idempotency_key)
        return await self._send(call.asking(reason=reason))

    async def remove_movie(
        self,
        movie_id: MovieId,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> answers.Receipt:
        """Take a film out of the catalogue and of all lists."""
        call = Call(operations.REMOVE_MOVIE, {"movie_id": movie_id}, key=idempotency_key)
        return await self._send(call.asking(reason=reason))

    async def publish(
        self, events: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> answers.Events:
        """Publish up to 1,000 events, each a CloudEvent such as `{"type": "rating.added", …}`.

        The answer tells of each whether it was accepted. Reads of the viewers whom they name follow
        them, as they follow the other writes.

        Raises:
            InvalidInput: All were rejected; `document["items"]` says why, one by one.
        """
        body = as_body({"events": events})
        writers, key = _viewers_of(events), idempotency_key
        return await self._send(
            Call(operations.PUBLISH_EVENTS, body=body, writers=writers, key=key)
        )


def _search(query: str, options: SearchOptions) -> Call[answers.Movies]:
    return Call(operations.LIST_MOVIES, query=as_query({**options, "query": query or None}))


def _viewers_of(events: Sequence[Mapping[str, Any]]) -> tuple[UserId, ...]:
    """Return the viewers whom events name; what is wrong in events is for the gateway to say."""
    data = [event.get("data") for event in events]
    named = [part.get("user_id") for part in data if isinstance(part, Mapping)]
    return tuple({user_id for user_id in named if isinstance(user_id, int | str)})
