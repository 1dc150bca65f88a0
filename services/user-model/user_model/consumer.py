"""Consumer of the user-model service: derives codes and clusters of users, rows of movies."""

from marquee.consumer.derivation import derive_all
from marquee.consumer.handlers.by_service import handlers_of
from marquee.consumer.run import consume_with_model
from marquee.consumer.unit_of_work import Handlers
from marquee.settings import Settings
from user_model.model import UserModel

HANDLERS: Handlers = handlers_of("user-model")


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "user-model", UserModel.load, HANDLERS, derive_all)
