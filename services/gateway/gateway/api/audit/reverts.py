"""Reverts: the event or call that brings back the state before an audit entry."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson
from starlette.responses import Response

from gateway.api.audit.operations import fix_segments, wanted_segments
from gateway.api.context import Context, receipt_document
from gateway.http.route import json_response
from gateway.state.audit_log import StoredEntry
from marquee.audit.entries import FILMS, OPERATIONS, RULES, AuditId
from marquee.domain.ids import as_given, id_text, parse_id
from marquee.domain.movies import Movie
from marquee.errors import Conflict
from marquee.events import (
    MovieAdded,
    MovieBlocked,
    MovieChange,
    MovieEvent,
    MoviePromoted,
    MovieRef,
    MovieRemoved,
    MovieUnblocked,
    MovieUnpromoted,
    MovieUpdated,
)

_RULES: Final[Mapping[str, tuple[str, type[MovieEvent], type[MovieEvent]]]] = {
    "movie.promoted": ("promotion", MoviePromoted, MovieUnpromoted),
    "movie.unpromoted": ("promotion", MoviePromoted, MovieUnpromoted),
    "movie.blocked": ("block", MovieBlocked, MovieUnblocked),
    "movie.unblocked": ("block", MovieBlocked, MovieUnblocked),
}
"""Action → the rule that it changes, and the events that set and remove it."""
SEGMENTS_COUNTED: Final = "segments.counted"
_OF_THE_EVENT: Final = frozenset({"at", "event_id"})
"""Fields of a stored rule that come from its event rather than from who decided it."""

State = dict[str, Any]


def is_revertible(entry: StoredEntry) -> bool:
    """Return whether an entry is of a kind that can be reverted, and changed anything."""
    fields = entry.fields
    if entry.entry_id.kind == OPERATIONS and fields["action"] != SEGMENTS_COUNTED:
        return False
    return _decided(fields["before"]) != _decided(fields["after"])


async def revert(context: Context, entry: StoredEntry) -> Response:
    """Bring back the state before an entry, and answer with a receipt.

    Raises:
        Conflict: The entry cannot be reverted, or the state has changed since.
    """
    if not is_revertible(entry):
        raise Conflict(f"entry {entry.entry_id} cannot be reverted: {_why_not(entry)}")
    if context.attribution is not None:
        attribution = replace(context.attribution, reverts=str(entry.entry_id))
        context = replace(context, attribution=attribution)
    if entry.entry_id.kind == OPERATIONS:
        return await _revert_segments(context, entry)
    event = await _event(context, entry)
    return await _publish(context, entry, event)


def rule_event(action: str, before: State | None, after: State | None, movie_id: int) -> MovieEvent:
    """Return the event that makes a rule what it was before an action, if it is what it was after.

    Args:
        action: The type of the event that changed the rule.
        before: The rule before it, as stored; None: there was none.
        after: The rule after it.
        movie_id: The film.
    """
    _, setting, removing = _RULES[action]
    expects = "" if after is None else str(after["event_id"])
    data = {"movie_id": as_given(movie_id)}
    if before is not None:
        data = {name: value for name, value in before.items() if name not in _OF_THE_EVENT}
    kind = removing if before is None else setting
    return _kept(kind, data, expects)


def film_event(before: State | None, after: State | None, movie_id: int) -> MovieEvent:
    """Return the event that gives a film the fields that it had before a change.

    Args:
        before: The fields that changed, as they were; None: there was no such film.
        after: The same fields as they became; None: the film was removed.
        movie_id: The film.
    """
    if before is None:
        return MovieRemoved(data=MovieRef(movie_id=movie_id))
    if after is None:
        return MovieAdded(data=Movie.model_validate_json(orjson.dumps(before), strict=True))
    fields = {name: value for name, value in before.items() if value is not None}
    cleared = [name for name in after if before.get(name) is None]
    change = fields | {"movie_id": as_given(movie_id), "cleared": cleared}
    return MovieUpdated(data=MovieChange.model_validate_json(orjson.dumps(change), strict=True))


def _kept(kind: type[MovieEvent], data: State, expects: str) -> MovieEvent:
    """Return an event with data as they are stored: they were accepted once, and stay."""
    model: Any = kind.model_fields["data"].annotation
    payload = model.model_validate_json(orjson.dumps(data), strict=True)
    return kind.model_validate({"data": payload, "expects": expects})


async def _event(context: Context, entry: StoredEntry) -> MovieEvent:
    """Return the event of a revert.

    Raises:
        Conflict: The state is not what the entry made of it.
    """
    fields = entry.fields
    movie_id, before, after = parse_id(fields["movie_id"]), fields["before"], fields["after"]
    if entry.entry_id.kind == RULES:
        kind = _RULES[fields["action"]][0]
        if not _is_repeated(context) and await context.audit_log.rule(movie_id, kind) != after:
            raise _changed(entry, kind)
        return rule_event(fields["action"], before, after, movie_id)
    if not _is_repeated(context) and not _is_as_after(
        await context.audit_log.film(movie_id), before, after
    ):
        raise _changed(entry, "film")
    return film_event(before, after, movie_id)


async def _publish(context: Context, entry: StoredEntry, event: MovieEvent) -> Response:
    events = context.with_request([event])
    places = await context.publisher.publish(events)
    in_force = await context.is_in_force(places)
    if in_force and entry.entry_id.kind == RULES and not _is_repeated(context):
        place = places[0]
        at = events[0].recordedtime or events[0].time
        own = AuditId.of(RULES, at, place.partition.partition, place.offset)
        if not await context.audit_log.has(own):
            raise _changed(entry, _RULES[entry.fields["action"]][0])
    return json_response(receipt_document(events, places), 200 if in_force else 202)


async def _revert_segments(context: Context, entry: StoredEntry) -> Response:
    fields, kind = entry.fields, entry.fields["subject"]
    if await wanted_segments(context, kind) != fields["after"]:
        raise _changed(entry, "number of segments")
    return json_response(await fix_segments(context, kind, fields["before"]["k"]))


def _is_as_after(current: State | None, before: State | None, after: State | None) -> bool:
    """Return whether the fields of a film that a change touched are as it left them."""
    if after is None or current is None:
        return current is None and after is None
    names = after.keys() | (before or current).keys()
    return all(current.get(name) == after.get(name) for name in names)


def _is_repeated(context: Context) -> bool:
    """Return whether an earlier call with the same key may have taken effect."""
    request = context.idempotent_request
    return request is not None and request.again


def _decided(state: State | None) -> State | None:
    """Return a state without what only says when and by which event it came to be."""
    return state and {name: value for name, value in state.items() if name not in _OF_THE_EVENT}


def _changed(entry: StoredEntry, what: str) -> Conflict:
    fields = entry.fields
    where = ""
    if entry.entry_id.kind in (RULES, FILMS):
        where = f": see GET /v1/audit?movie_id={id_text(parse_id(fields['movie_id']))}"
    return Conflict(f"the {what} has changed since entry {entry.entry_id}{where}")


def _why_not(entry: StoredEntry) -> str:
    if entry.entry_id.kind == OPERATIONS and entry.fields["action"] != SEGMENTS_COUNTED:
        return f"{entry.fields['action']} has a call of its own that undoes it, or none"
    return "it changed nothing"
