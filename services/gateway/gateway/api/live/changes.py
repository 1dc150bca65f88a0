"""Route that follows a viewer's list: a stream of events, or one answer that waits for a change."""

import random
import time
from collections.abc import AsyncGenerator
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.authenticator import is_still_allowed
from gateway.api.context import context_of
from gateway.api.live.event_stream import (
    HEARTBEAT,
    MEDIA_TYPE,
    EventStream,
    message,
    reconnection,
)
from gateway.api.live.followed_list import FollowedList, ShownList
from gateway.api.schemas.field_types import UserId
from gateway.api.schemas.list_requests import ChangesQuery
from gateway.api.schemas.responses import RecommendationsDocument
from gateway.http.overload import place_of
from gateway.http.route import router
from gateway.http.web.validators import has_tag
from gateway.state.changes import ERASED, Follower
from marquee.access.scopes import Scope
from marquee.errors import MarqueeError, Unauthorized
from marquee.http_server.draining import stop_in

routes = router("Recommendations")

HEARTBEAT_S = 15.0
"""Seconds without a message after which a comment is sent, and the key or token is looked at."""
WAIT_S = 25
"""Seconds that an answer in JSON waits, unless the call says otherwise."""
RETRY_MS = 1000
"""Milliseconds after which a page connects again, at most; drawn where all connect at once."""
_LAST: Final = "last-event-id"
_HEADERS: Final = {"Cache-Control": "no-store"}

_EVENTS: Final = (
    "Messages `list`, whose data is the list and whose id is that of its content; `end` with a"
    " `code` and a `reason` where the stream does not go on. Comments are signs of life."
)
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": RecommendationsDocument,
        "description": "The list; or, for `Accept: text/event-stream`, each list from now on.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "description": _EVENTS}}},
        "headers": {"ETag": {"schema": {"type": "string"}, "description": "Of a list in JSON."}},
    },
    304: {"description": "The list is the one that the call named still."},
}
_TAG: Final[dict[str, Any]] = {
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 1000, "pattern": r"^[!-~]([ -~]*[!-~])?$"},
}
_PARAMETERS: Final[list[dict[str, Any]]] = [
    {
        **_TAG,
        "name": "Last-Event-ID",
        "description": "The id of the last list that was seen: it is not sent again.",
    },
    {**_TAG, "name": "If-None-Match", "description": "The same, by the `ETag` of a list in JSON."},
]


@routes.get(
    "/v1/users/{user_id}/recommendations/changes",
    responses=_ANSWER,
    openapi_extra={"parameters": _PARAMETERS},
    summary="Follow a viewer's list",
)
async def follow_user(
    request: Request, user_id: UserId, query: Annotated[ChangesQuery, Query()]
) -> Response:
    """A viewer's list whenever it differs from the one before: by a rating, a view, a dismissal, a
    rule, a film, or a version of a model. For `Accept: text/event-stream` a stream of events, the
    present list first. Otherwise one answer in JSON: at once where the list is not the one that
    the call names, else after the next change, or 304 after `wait` seconds. An erasure of the
    viewer ends a stream.
    """
    context = context_of(request)
    if (stop := stop_in(request.scope)) is not None:
        stop.tell(context.changes.stop)
    follower = context.changes.follow(user_id)
    leave = partial(context.changes.leave, follower)
    try:
        followed = FollowedList(context, follower, query, place_of(request.scope))
        shown = await followed.first()
        if query.wait is None and MEDIA_TYPE in request.headers.get("accept", ""):
            return EventStream(messages(request, follower, followed, shown), leave)
        response = await _answer(request, follower, followed, shown, query.wait)
    except BaseException:
        leave()
        raise
    leave()
    return response


async def _answer(
    request: Request,
    follower: Follower,
    followed: FollowedList,
    shown: ShownList,
    wait: int | None,
) -> Response:
    """Answer with the list, once it is another one than the call names; else 304."""
    until = time.monotonic() + (WAIT_S if wait is None else wait)
    while _is_known(request, shown):
        left = until - time.monotonic()
        if left <= 0 or follower.ended:
            return Response(status_code=304, headers={**_HEADERS, "ETag": shown.tag})
        shown = await followed.next(left) or shown
    headers = {**_HEADERS, "ETag": shown.tag}
    return Response(shown.body, 200, headers, "application/json")


def _is_known(request: Request, shown: ShownList) -> bool:
    named = has_tag(request.headers.get("if-none-match", ""), shown.tag)
    return named or request.headers.get(_LAST) == shown.event_id


async def messages(
    request: Request,
    follower: Follower,
    followed: FollowedList,
    shown: ShownList,
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncGenerator[bytes, None]:
    """Yield the messages of a stream: the list whenever it differs, and signs of life.

    Args:
        request: The call.
        follower: Who follows.
        followed: What is followed.
        shown: The present list.
        heartbeat_s: Seconds between signs of life, and between looks at the key or token.
    """
    yield reconnection(RETRY_MS)
    told, sent = request.headers.get(_LAST, ""), time.monotonic()
    confirmed = sent
    try:
        while not follower.ended:
            now = time.monotonic()
            if now - confirmed >= heartbeat_s:
                if not is_still_allowed(request, Scope.READ):
                    yield _end(Unauthorized.code, "the key or token does not hold any more")
                    return
                confirmed = now
            if shown.event_id != told:
                told, sent = shown.event_id, now
                yield message("list", shown.body, told)
            elif now - sent >= heartbeat_s:
                sent = now
                yield HEARTBEAT
            left = min(sent, confirmed) + heartbeat_s - time.monotonic()
            shown = await followed.next(max(0.0, left)) or shown
    except MarqueeError as error:
        # A filter may have lost its last film.
        yield _end(error.code, str(error))
        return
    if follower.ended == ERASED:
        yield _end(ERASED, ERASED)
    else:
        # Not all at once, and at another gateway, if the proxy knows one.
        yield reconnection(random.randint(1, RETRY_MS))  # nosec B311  # no secret


def _end(code: str, reason: str) -> bytes:
    return message("end", orjson.dumps({"code": code, "reason": reason}))
