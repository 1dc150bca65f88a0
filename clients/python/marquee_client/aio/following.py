"""Lists that are followed: each that differs from the one before."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Final, Unpack

import httpx
from pydantic import ValidationError

from marquee_client import answers, operations
from marquee_client.aio.transport import AsyncTransport
from marquee_client.errors import FollowingEnded, UnreadableAnswer, failure_of, refusal_of
from marquee_client.event_stream import EventStream, Message
from marquee_client.operation import Call, as_query
from marquee_client.options import FollowOptions, UserId
from marquee_client.retries import RETRIED_STATUSES, Attempts
from marquee_client.retry_after import retry_after_s

SILENCE_S: Final = 45.0
"""Seconds without a sign of life (one comes every 15) until a connection counts as lost."""
_STREAM: Final = "text/event-stream"


class AsyncFollowing(AsyncTransport):
    """The call that does not end by itself."""

    async def follow(
        self, user_id: UserId, **options: Unpack[FollowOptions]
    ) -> AsyncGenerator[answers.Recommendations, None]:
        """Yield a viewer's list: the present one first, then each that differs from the last.

        A broken connection is made again, and goes on after the last list. Each follower has a
        connection of its own, for as long as it is read.

        Args:
            user_id: The viewer.
            options: Of the list.

        Raises:
            FollowingEnded: The gateway ended it: the viewer was erased, the key or token does not
                hold any more, or a filter has no film left.
            MarqueeError: The call is refused, or no connection is made within the retries.
        """
        path, query = {"user_id": user_id}, as_query(options)
        call = Call(operations.FOLLOW_USER, path, query, reader=user_id)
        stream = EventStream()
        attempts = None
        while True:
            attempts = attempts or Attempts(self._retries, repeatable=True)
            try:
                async with self._connected(call, stream.last_id) as response:
                    pause = await _pause_of(response, attempts)
                    if pause is None:
                        attempts = None  # what breaks from here on is another failure
                        stream.begin()
                        async for part in response.aiter_bytes():
                            for message in stream.read(part):
                                if (shown := _list_of(message)) is not None:
                                    yield shown
            except httpx.TransportError as error:
                attempts = attempts or Attempts(self._retries, repeatable=True)
                pause = attempts.pause(stream.retry_s)
                if pause is None:
                    raise failure_of(error) from error
            await asyncio.sleep(stream.retry_s if pause is None else pause)

    def _connected(
        self, call: Call[answers.Recommendations], last_id: str
    ) -> AbstractAsyncContextManager[httpx.Response]:
        limits = self._http.timeout
        headers = {"Accept": _STREAM, **({"Last-Event-ID": last_id} if last_id else {})}
        return self._http.stream(
            call.operation.method,
            call.address,
            params=call.parameters(self._tokens),
            headers=headers,
            timeout=httpx.Timeout(
                connect=limits.connect, write=limits.write, pool=limits.pool, read=SILENCE_S
            ),
        )


async def _pause_of(response: httpx.Response, attempts: Attempts) -> float | None:
    """Return the seconds until the next try, None where the answer is a stream.

    Raises:
        MarqueeError: It is another answer, and there is to be no further try.
    """
    if response.is_success:
        if response.headers.get("Content-Type", "").startswith(_STREAM):
            return None
        raise UnreadableAnswer(f"{response.url} is no stream: is this Marquee's address?")
    pause = None
    if response.status_code in RETRIED_STATUSES:
        pause = attempts.pause(retry_after_s(response.headers.get("Retry-After")))
    if pause is None:
        await response.aread()
        raise refusal_of(response)
    return pause


def _list_of(message: Message) -> answers.Recommendations | None:
    """Return the list of a message, None where it has none.

    Raises:
        FollowingEnded: It is the last message.
        UnreadableAnswer: It is not one of this API.
    """
    try:
        if message.event == "end":
            raise FollowingEnded.told_by(message.data)
        if message.event == "list":
            return answers.Recommendations.model_validate_json(message.data)
    except ValidationError as error:
        raise UnreadableAnswer(f"follow_user: {error}") from error
    return None
