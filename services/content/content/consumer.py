"""What the content service does with events: film rows by its model, popularity by sums."""

from content.model import Content
from marquee.consuming import consume_with_model
from marquee.derive import derive_films
from marquee.facts import Handlers
from marquee.kept_facts import handlers_of
from marquee.rating_sums import restore_sums
from marquee.settings import Settings

HANDLERS: Handlers = handlers_of("content")


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "content", Content.load, HANDLERS, derive_films, restore_sums)
