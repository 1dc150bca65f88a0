"""Consumer of the neural service: derives vectors of users and movies by its networks."""

from marquee.consumer.derivation import derive_all
from marquee.consumer.handlers.by_service import handlers_of
from marquee.consumer.run import consume_with_model
from marquee.consumer.unit_of_work import Handlers
from marquee.settings import Settings
from neural.model import Neural

HANDLERS: Handlers = handlers_of("neural")


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "neural", Neural.load, HANDLERS, derive_all)
