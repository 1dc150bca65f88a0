"""A viewer's list that is followed: made again when a change may concern it."""

import math
import random
import time
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

BEHIND_S, DEGRADED_S, LONGEST_S = 1.0, 10.0, 120.0
"""Seconds after which a list that is behind, or degraded, is made again; doubled each time."""


@dataclass(frozen=True)
class ShownList:
    """A list as it is sent.

    Attributes:
        body: JSON, as GET recommendations answers it.
        tag: Its entity tag: equal as long as nothing visible differs.
    """

    body: bytes
    tag: str

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
        self._factor, self._due = 1.0, math.inf

    async def first(self) -> ShownList:
        """Return the present list; for the errors see `user_list`."""
        async with self._place.held():
            return await self._made(self._query)

    async def next(self, seconds: float) -> ShownList | None:
        """Return the list after the next change that may concern it.

        A list that is behind or degraded is made again after a while even without one.

        Args:
            seconds: How long to wait for a change, at most.

        Returns:
            None where nothing happened in that time, or the follower has to end.
        """
        left = max(0.0, self._due - time.monotonic())
        change = await self._follower.changed(min(left, seconds))
        if self._follower.ended or (change is None and left > seconds):
            return None
        # Not all at the same moment.
        self._factor = 1.0 if change else self._factor * random.uniform(1.8, 2.2)  # nosec B311  # no secret
        change = change or Change()
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
            async with self._context.changes.turns, self._place.held(can_wait=True):
                yield

    async def _made(self, query: ChangesQuery) -> ShownList:
        response = await user_list(self._context, self._follower.user_id, query)
        body = bytes(response.body)
        document = orjson.loads(body)
        again_s = DEGRADED_S if document["fresh"] else BEHIND_S
        is_final = document["fresh"] and not document["degraded"]
        wait = math.inf if is_final else min(LONGEST_S, again_s * self._factor)
        self._due = time.monotonic() + wait
        return ShownList(body, entity_tag(body))
