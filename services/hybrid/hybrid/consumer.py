"""What the hybrid service does with events: film rows by its model."""

from hybrid.model import Hybrid
from marquee.consuming import consume_with_model
from marquee.derive import derive_films
from marquee.facts import FILM_HANDLERS, Handlers, restore_films
from marquee.settings import Settings

HANDLERS: Handlers = FILM_HANDLERS


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "hybrid", Hybrid.load, HANDLERS, derive_films, restore_films)
