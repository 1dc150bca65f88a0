"""How events change curators' rules of movies: promotions and blocks, facts of the gateway."""

from typing import Any

from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.events import MovieBlocked, MovieEvent, MoviePromoted, MovieUnblocked, MovieUnpromoted


def promote(step: UnitOfWork, event: MoviePromoted) -> None:
    """Place the movie from now on; a second promotion replaces the first."""
    _set(step, event, "promotion")


def unpromote(step: UnitOfWork, event: MovieUnpromoted) -> None:
    """Place the movie no more."""
    _set(step, event, "promotion", removed=True)


def block(step: UnitOfWork, event: MovieBlocked) -> None:
    """Keep the movie out of every answer."""
    _set(step, event, "block")


def unblock(step: UnitOfWork, event: MovieUnblocked) -> None:
    """Let the movie into answers again."""
    _set(step, event, "block", removed=True)


def _set(step: UnitOfWork, event: MovieEvent, kind: str, removed: bool = False) -> None:
    movie_id = event.data.movie_id
    rules: dict[str, Any] = step.rules(movie_id)
    if removed:
        rules.pop(kind, None)
    else:
        data = event.data.model_dump(mode="json", by_alias=True)
        rules[kind] = data | {"at": event.time.isoformat(), "event_id": event.id}
    step.put_rules(movie_id, rules)


RULE_HANDLERS: Handlers = {
    MoviePromoted: promote,
    MovieUnpromoted: unpromote,
    MovieBlocked: block,
    MovieUnblocked: unblock,
}
