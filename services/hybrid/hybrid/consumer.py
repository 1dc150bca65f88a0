"""Consumer of the hybrid service: movie rows by its model, new movies by their raters."""

from hybrid.als_fold_in import derive_parts
from hybrid.model import Hybrid
from marquee.consumer.derivation import derive_movies
from marquee.consumer.handlers.by_service import handlers_of
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.run import consume_with_model
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.events import MOVIES
from marquee.settings import Settings

HANDLERS: Handlers = handlers_of("hybrid")


def derive_rows(unit_of_work: UnitOfWork, model: Hybrid) -> None:
    """Derive movie rows on the topic of movies, else the parts of new movies' raters."""
    if unit_of_work.keys.partition.topic == MOVIES:
        derive_movies(unit_of_work, model)
    else:
        derive_parts(unit_of_work, model)


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "hybrid", Hybrid.load, HANDLERS, derive_rows, restore_facts)
