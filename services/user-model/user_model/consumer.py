"""What the user-model service does with events: codes and clusters of viewers, rows of films."""

from marquee.consuming import consume_with_model
from marquee.derive import derive_all
from marquee.facts import FILM_HANDLERS, VIEWER_HANDLERS, Handlers
from marquee.settings import Settings
from user_model.model import UserModel

HANDLERS: Handlers = {**FILM_HANDLERS, **VIEWER_HANDLERS}


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "user-model", UserModel.load, HANDLERS, derive_all)
