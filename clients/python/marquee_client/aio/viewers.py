"""What viewers do: rate, view, dismiss, and keep a watchlist; and what is known of them."""

from collections.abc import AsyncIterator
from typing import Unpack

from marquee_client import answers, operations
from marquee_client.aio.transport import AsyncTransport
from marquee_client.operation import Answer, Call, Operation, as_body, as_query
from marquee_client.options import Freshness, HistoryOptions, MovieId, UserId


class AsyncViewers(AsyncTransport):
    """Calls about one viewer. Each write is remembered: the viewer's next reads follow it.

    A write may carry an `idempotency_key` of the caller's choice, if the caller itself may repeat
    it, as a job does; otherwise the client makes one for its own retries.
    """

    async def rate(
        self,
        user_id: UserId,
        movie_id: MovieId,
        rating: float,
        *,
        recommendation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> answers.Receipt:
        """Give a film a rating, 0.5 to 5 stars, in the place of the former one.

        Args:
            user_id: The viewer.
            movie_id: The film.
            rating: Stars, in halves.
            recommendation_id: The list that showed the film.
            idempotency_key: See the class.
        """
        body = as_body({"rating": rating, "recommendation_id": recommendation_id})
        call = _write(operations.PUT_RATING, user_id, movie_id, idempotency_key, body)
        return await self._send(call)

    async def unrate(
        self, user_id: UserId, movie_id: MovieId, *, idempotency_key: str | None = None
    ) -> answers.Receipt:
        """Take a rating back."""
        call = _write(operations.DELETE_RATING, user_id, movie_id, idempotency_key)
        return await self._send(call)

    async def view(
        self,
        user_id: UserId,
        movie_id: MovieId,
        *,
        recommendation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> answers.Receipt:
        """Say that a viewer has seen a film."""
        body = as_body({"movie_id": movie_id, "recommendation_id": recommendation_id})
        path, writers = {"user_id": user_id}, (user_id,)
        return await self._send(
            Call(operations.ADD_VIEW, path, body=body, writers=writers, key=idempotency_key)
        )

    async def dismiss(
        self, user_id: UserId, movie_id: MovieId, *, idempotency_key: str | None = None
    ) -> answers.Receipt:
        """Keep a film out of a viewer's lists."""
        call = _write(operations.PUT_DISMISSED, user_id, movie_id, idempotency_key)
        return await self._send(call)

    async def restore(
        self, user_id: UserId, movie_id: MovieId, *, idempotency_key: str | None = None
    ) -> answers.Receipt:
        """Let a dismissed film come again."""
        call = _write(operations.DELETE_DISMISSED, user_id, movie_id, idempotency_key)
        return await self._send(call)

    async def watchlist(
        self, user_id: UserId, **options: Unpack[HistoryOptions]
    ) -> answers.Watchlist:
        """Return a page of a viewer's watchlist, the newest film first."""
        return await self._send(_read(operations.LIST_WATCHLIST, user_id, options))

    def watchlist_pages(
        self, user_id: UserId, **options: Unpack[HistoryOptions]
    ) -> AsyncIterator[answers.Watchlist]:
        """Yield the pages of a viewer's watchlist."""
        return self._pages(_read(operations.LIST_WATCHLIST, user_id, options))

    async def add_to_watchlist(
        self,
        user_id: UserId,
        movie_id: MovieId,
        *,
        recommendation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> answers.Receipt:
        """Put a film on a viewer's watchlist."""
        call = _write(operations.PUT_WATCHLIST, user_id, movie_id, idempotency_key)
        return await self._send(call.asking(recommendation_id=recommendation_id))

    async def remove_from_watchlist(
        self, user_id: UserId, movie_id: MovieId, *, idempotency_key: str | None = None
    ) -> answers.Receipt:
        """Take a film off a viewer's watchlist."""
        call = _write(operations.DELETE_WATCHLIST, user_id, movie_id, idempotency_key)
        return await self._send(call)

    async def ratings(self, user_id: UserId, **options: Unpack[HistoryOptions]) -> answers.Ratings:
        """Return a page of what a viewer has rated, the newest first."""
        return await self._send(_read(operations.LIST_RATINGS, user_id, options))

    def rating_pages(
        self, user_id: UserId, **options: Unpack[HistoryOptions]
    ) -> AsyncIterator[answers.Ratings]:
        """Yield the pages of what a viewer has rated."""
        return self._pages(_read(operations.LIST_RATINGS, user_id, options))

    async def user(self, user_id: UserId, **options: Unpack[Freshness]) -> answers.User:
        """Return what is known of a viewer, in numbers, and the route of the viewer's lists."""
        return await self._send(_read(operations.GET_USER, user_id, options))

    async def export(self, user_id: UserId, **options: Unpack[Freshness]) -> answers.Export:
        """Return all that is known of a viewer, the newest first in each list."""
        return await self._send(_read(operations.EXPORT_USER, user_id, options))

    async def erase(self, user_id: UserId, *, idempotency_key: str | None = None) -> answers.Erased:
        """Forget a viewer for good."""
        path, writers = {"user_id": user_id}, (user_id,)
        return await self._send(
            Call(operations.ERASE_USER, path, writers=writers, key=idempotency_key)
        )

    async def viewer_token(self, user_id: UserId, *, seconds: int | None = None) -> answers.Token:
        """Return a token for a viewer's page: whoever holds it asks and writes for this viewer.

        Args:
            user_id: The viewer.
            seconds: How long it holds; 900 by default.
        """
        body = as_body({"seconds": seconds})
        return await self._send(Call(operations.ISSUE_TOKEN, {"user_id": user_id}, body=body))


def _write(
    operation: Operation[Answer],
    user_id: UserId,
    movie_id: MovieId,
    key: str | None,
    body: dict[str, object] | None = None,
) -> Call[Answer]:
    path = {"user_id": user_id, "movie_id": movie_id}
    return Call(operation, path, body=body, writers=(user_id,), key=key)


def _read(
    operation: Operation[Answer], user_id: UserId, options: HistoryOptions | Freshness
) -> Call[Answer]:
    return Call(operation, {"user_id": user_id}, as_query(options), reader=user_id)
