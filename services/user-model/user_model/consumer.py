"""What the user-model service does with events: codes and clusters of viewers, rows of films."""

from marquee.consuming import consume_with_model
from marquee.derive import derive_all
from marquee.facts import Handlers
from marquee.kept_facts import handlers_of
from marquee.settings import Settings
from user_model.model import UserModel

HANDLERS: Handlers = handlers_of("user-model")


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "user-model", UserModel.load, HANDLERS, derive_all)
