"""What the hybrid service does with events: film rows by its model, and new films by raters."""

from hybrid.folding import derive_parts
from hybrid.model import Hybrid
from marquee.consuming import consume_with_model
from marquee.derive import derive_films
from marquee.events import MOVIES
from marquee.facts import Handlers, restore_facts
from marquee.kept_facts import handlers_of
from marquee.settings import Settings
from marquee.step import Step

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
