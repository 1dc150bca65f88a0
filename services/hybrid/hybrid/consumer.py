"""What the hybrid service does with events: film rows by its model, and new films by raters."""

from hybrid.als_fold_in import derive_parts
from hybrid.model import Hybrid
from marquee.consumer.derivation import derive_films
from marquee.consumer.handlers.by_service import handlers_of
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.run import consume_with_model
from marquee.consumer.unit_of_work import Handlers, Step
from marquee.events import MOVIES
from marquee.settings import Settings

HANDLERS: Handlers = handlers_of("hybrid")


def derive(step: Step, model: Hybrid) -> None:
    """Put the rows of films, or what raters say of new films, whichever the topic is about."""
    if step.keys.partition.topic == MOVIES:
        derive_films(step, model)
    else:
        derive_parts(step, model)


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "hybrid", Hybrid.load, HANDLERS, derive, restore_facts)
