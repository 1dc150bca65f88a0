"""Event handlers of curators' rules: promotions and blocks, facts of the gateway."""

from typing import Any

from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.events import MovieBlocked, MoviePromoted, MovieUnblocked, MovieUnpromoted, RuleEvent


def promote(unit_of_work: UnitOfWork, event: MoviePromoted) -> None:
    """Promote the movie; a second promotion replaces the first."""
    _set(unit_of_work, event, "promotion")


def unpromote(unit_of_work: UnitOfWork, event: MovieUnpromoted) -> None:
    """End the promotion of the movie."""
    _set(unit_of_work, event, "promotion", removed=True)


def block(unit_of_work: UnitOfWork, event: MovieBlocked) -> None:
    """Keep the movie out of every answer."""
    _set(unit_of_work, event, "block")


def unblock(unit_of_work: UnitOfWork, event: MovieUnblocked) -> None:
    """Let the movie into answers again."""
    _set(unit_of_work, event, "block", removed=True)


def _set(unit_of_work: UnitOfWork, event: RuleEvent, kind: str, removed: bool = False) -> None:
    movie_id = event.data.movie_id
    rules: dict[str, Any] = unit_of_work.facts.rules(movie_id)
    if not event.is_expected(rules.get(kind, {}).get("event_id", "")):
        return
    if removed:
        rules.pop(kind, None)
    else:
        data = event.data.model_dump(mode="json", by_alias=True)
        rules[kind] = data | {"at": event.time.isoformat(), "event_id": event.id}
    unit_of_work.put_rules(movie_id, rules)


RULE_HANDLERS: Handlers = {
    MoviePromoted: promote,
    MovieUnpromoted: unpromote,
    MovieBlocked: block,
    MovieUnblocked: unblock,
}
