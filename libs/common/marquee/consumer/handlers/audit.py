"""Handlers that leave audit entries: of changes of the catalogue and the rules, and of erasures.

An entry is written with the change itself and the position, so that each event that takes effect
leaves exactly one.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from marquee.audit.entries import (
    ERASURES,
    FILMS,
    RULES,
    UNKNOWN,
    AuditEntry,
    AuditId,
    changed_fields,
    encode_member,
)
from marquee.consumer.unit_of_work import Handler, Handlers, UnitOfWork
from marquee.domain.ids import as_given
from marquee.events import (
    AttributedEvent,
    Event,
    MovieBlocked,
    MovieEvent,
    MoviePromoted,
    MovieUnblocked,
    MovieUnpromoted,
    RuleEvent,
    UserErased,
)
from marquee.events.erasure import digest_of_user

_RULE_OF: Mapping[type[Event], str] = {
    MoviePromoted: "promotion",
    MovieUnpromoted: "promotion",
    MovieBlocked: "block",
    MovieUnblocked: "block",
}
_UNNAMED = "unknown"
"""The actor of a rule that names none."""


def audited(handlers: Handlers) -> Handlers:
    """Return handlers that leave an entry of each change of films and rules, and of each erasure.

    Others stay as they are.
    """
    return {event: _audited(event, handler) for event, handler in handlers.items()}


def _audited(event: type[Event], handler: Handler) -> Handler:
    if issubclass(event, RuleEvent):
        return _of_rules(handler)
    if issubclass(event, MovieEvent):
        return _of_films(handler)
    return _of_erasures(handler) if issubclass(event, UserErased) else handler


def _of_rules(handler: Handler) -> Handler:
    def handle(unit_of_work: UnitOfWork, event: RuleEvent) -> None:
        kind, movie_id = _RULE_OF[type(event)], event.data.movie_id
        before = unit_of_work.facts.rules(movie_id).get(kind)
        handler(unit_of_work, event)
        if event.is_expected((before or {}).get("event_id", "")):
            after = unit_of_work.facts.rules(movie_id).get(kind)
            _put_entry(unit_of_work, RULES, event, before, after)

    return handle


def _of_films(handler: Handler) -> Handler:
    def handle(unit_of_work: UnitOfWork, event: MovieEvent) -> None:
        before = _film(unit_of_work, event)
        handler(unit_of_work, event)
        _put_entry(unit_of_work, FILMS, event, *changed_fields(before, _film(unit_of_work, event)))

    return handle


def _of_erasures(handler: Handler) -> Handler:
    def handle(unit_of_work: UnitOfWork, event: UserErased) -> None:
        handler(unit_of_work, event)
        fields = {
            "at": _at(event).isoformat(),
            "actor": event.authid or event.source,
            "authtype": event.authtype or UNKNOWN,
            "event_id": event.id,
            "digest": digest_of_user(event.data.user_id).hex(),
        }
        entry_id = _id_of(unit_of_work, ERASURES, event)
        unit_of_work.put_audit(
            unit_of_work.keys.erasures, entry_id.ms, encode_member(entry_id.number, fields)
        )

    return handle


def _film(unit_of_work: UnitOfWork, event: MovieEvent) -> dict[str, Any] | None:
    movie = unit_of_work.facts.movie(event.data.movie_id)
    return None if movie is None else dict(orjson.loads(movie.model_dump_json()))


def _put_entry(
    unit_of_work: UnitOfWork,
    kind: str,
    event: MovieEvent,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    named = getattr(event.data, "actor", _UNNAMED)
    decided_by = None if named == _UNNAMED else named
    entry_id = _id_of(unit_of_work, kind, event)
    entry = AuditEntry(
        at=_at(event),
        actor=event.authid or decided_by or event.source,
        authtype=event.authtype or UNKNOWN,
        decided_by=decided_by,
        action=event.type,
        movie_id=as_given(event.data.movie_id),
        reason=event.reason or getattr(event.data, "reason", ""),
        before=before,
        after=after,
        event_id=event.id,
        reverts=event.reverts,
    )
    keys = unit_of_work.keys
    key = keys.audit_rules if kind == RULES else keys.audit_films
    unit_of_work.put_audit(key, entry_id.ms, entry.member(entry_id.number))


def _at(event: AttributedEvent) -> Any:
    """Return when an event was accepted; a producer on the bus may tell only when it happened."""
    return event.recordedtime or event.time


def _id_of(unit_of_work: UnitOfWork, kind: str, event: AttributedEvent) -> AuditId:
    partition = unit_of_work.keys.partition.partition
    return AuditId.of(kind, _at(event), partition, unit_of_work.offset)
