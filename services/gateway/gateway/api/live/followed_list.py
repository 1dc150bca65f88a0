"""A viewer's list that is followed: made again when a change may concern it."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

from gateway.api.context import Context
from gateway.api.recommendations import user_list
from gateway.api.schemas.list_requests import ChangesQuery
from gateway.http.overload import Place
from gateway.http.web.validators import entity_tag
from gateway.state import consistency_token
from gateway.state.changes import Change, Follower

AGAIN_S, AGAIN_MOST_S = 1.0, 60.0
"""Seconds after which a list that is behind or degraded is made again; doubled each time."""


@dataclass(frozen=True)
class ShownList:
    """A list as it is sent.

    Attributes:
        body: JSON, as GET recommendations answers it.
        tag: Its entity tag: equal as long as nothing visible differs.
        is_final: Whether it is fresh and whole, so that only a change makes another one.
    """

    body: bytes
    tag: str
    is_final: bool

    @property
    def event_id(self) -> str:
        """The tag as the id of a message."""
        return self.tag.removeprefix("W/").strip('"')


class FollowedList:
    """The list of a follower's viewer, by one set of parameters."""

    def __init__(
        self, context: Context, follower: Follower, query: ChangesQuery, place: Place
    ) -> None:
        """Set what is followed.

        Args:
            context: The parts of the gateway.
            follower: Who follows, and whom.
            query: Parameters of the list.
            place: The request's place among those under way; given back while nothing happens.
        """
        self._context, self._follower, self._query = context, follower, query
        self._place = place
        self._again_s = AGAIN_S

    async def first(self) -> ShownList:
        """Return the present list; for the errors see `user_list`."""
        async with self._place.held():
            return await self._made(self._query)

    async def next(self, shown: ShownList, seconds: float) -> ShownList | None:
        """Return the list after the next change that may concern it.

        Args:
            shown: The one that was made last.
            seconds: How long to wait for a change, at most.

        Returns:
            None where nothing happened in that time, or the follower has to end.
        """
        again = not shown.is_final and self._again_s <= seconds
        change = await self._follower.changed(self._again_s if again else seconds)
        if self._follower.ended or not (change or again):
            return None
        if change is None:
            self._again_s = min(AGAIN_MOST_S, self._again_s * random.uniform(1.8, 2.2))  # nosec B311  # no secret
            change = Change()
        else:
            self._again_s = AGAIN_S
        token = consistency_token.encode(change.after) if change.after else None
        query = self._query.model_copy(update={"after": token, "wait_ms": None})
        async with self._turn(change):
            return await self._made(query)

    @asynccontextmanager
    async def _turn(self, change: Change) -> AsyncIterator[None]:
        """Wait for a place; where a change concerns all followers, few lists are made at once."""
        if change.is_own:
            async with self._place.held():
                yield
        else:
            async with self._context.changes.turns, self._place.held():
                yield

    async def _made(self, query: ChangesQuery) -> ShownList:
        response = await user_list(self._context, self._follower.user_id, query)
        body = bytes(response.body)
        document = orjson.loads(body)
        return ShownList(body, entity_tag(body), document["fresh"] and not document["degraded"])
