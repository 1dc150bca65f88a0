"""A training as a process of its own: `python -m trainer.train_process ID`, the order on stdin."""

import json
import os
import signal
import sys
import threading
from typing import Any, NoReturn

from marquee import telemetry
from marquee.errors import MarqueeError
from marquee.settings import Settings


def main() -> None:
    """Run the training that the first line of standard input orders; end when the input does."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    settings = Settings.model_validate(order["settings"])
    telemetry.configure_logging("trainer training", settings.log_level)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        train(settings, sys.argv[1], tuple(order["only"]), str(order["reason"]))
    except MarqueeError as error:
        telemetry.log.error("training failed", detail=str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(1)


def train(settings: Settings, training_id: str, only: tuple[str, ...], reason: str) -> None:
    """Run the stages; what fits models is imported here."""
    from trainer.models.parameters import read_parameters
    from trainer.runs.run import Order, run
    from trainer.runs.stages import STAGES

    order = Order(only, reason=reason, training_id=training_id)
    run(STAGES, settings, order, read_parameters())


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):  # not through the buffer: its lock outlives threads
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
