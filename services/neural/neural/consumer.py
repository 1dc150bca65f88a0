"""What the neural service does with events: vectors of viewers and films by its networks."""

from marquee.consuming import consume_with_model
from marquee.derive import derive_all
from marquee.facts import Handlers
from marquee.kept_facts import handlers_of
from marquee.settings import Settings
from neural.model import Neural

HANDLERS: Handlers = handlers_of("neural")


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "neural", Neural.load, HANDLERS, derive_all)
