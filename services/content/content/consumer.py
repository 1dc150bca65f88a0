"""Consumer of the content service: movie rows by its model, popularity by sums."""

from content.model import Content
from marquee.consumer.derivation import derive_movies
from marquee.consumer.handlers.by_service import handlers_of
from marquee.consumer.handlers.popularity import restore_sums
from marquee.consumer.run import consume_with_model
from marquee.consumer.unit_of_work import Handlers
from marquee.settings import Settings

HANDLERS: Handlers = handlers_of("content")


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "content", Content.load, HANDLERS, derive_movies, restore_sums)
