"""How events change curators' rules of movies: promotions and blocks, facts of the gateway."""

from typing import Any

from marquee.consumer.unit_of_work import Handlers, Step
from marquee.events import MovieBlocked, MovieEvent, MoviePromoted, MovieUnblocked, MovieUnpromoted


def promote(step: Step, event: MoviePromoted) -> None:
    """Place the movie from now on; a second promotion replaces the first."""
    _set(step, event, "promotion")


def unpromote(step: Step, event: MovieUnpromoted) -> None:
    """Place the movie no more."""
    _set(step, event, "promotion", removed=True)


def block(step: Step, event: MovieBlocked) -> None:
    """Keep the movie out of every answer."""
    _set(step, event, "block")


def unblock(step: Step, event: MovieUnblocked) -> None:
    """Let the movie into answers again."""
    _set(step, event, "block", removed=True)


def _set(step: Step, event: MovieEvent, kind: str, removed: bool = False) -> None:
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
