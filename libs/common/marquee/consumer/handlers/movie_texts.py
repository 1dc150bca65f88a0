"""Event handlers that keep movies' ids where they are strings: the gateway gives them back."""

from typing import Any

from marquee.consumer.handlers.profiles import USER_HANDLERS
from marquee.consumer.unit_of_work import Handler, Handlers, UnitOfWork
from marquee.domain.ids import string_of
from marquee.events import UserErased


def _keeping_text(handler: Handler) -> Handler:
    def handle(unit_of_work: UnitOfWork, event: Any) -> None:
        handler(unit_of_work, event)
        if text := string_of(event.data.movie_id):
            unit_of_work.put_movie_text(event.data.movie_id, text)

    return handle


USER_AND_TEXT_HANDLERS: Handlers = {
    event: handler if event is UserErased else _keeping_text(handler)
    for event, handler in USER_HANDLERS.items()
}
