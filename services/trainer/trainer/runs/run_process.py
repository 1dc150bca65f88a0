"""A training as a process: `python -m trainer.runs.run_process ID`, a JSON request on stdin."""

import json
import signal
import sys
from typing import Any, NoReturn

from marquee import telemetry
from marquee.child_process import exit_after, wait_for_end_of_input
from marquee.domain.likes import use_likes
from marquee.errors import MarqueeError
from marquee.settings import Settings
from trainer.runs.options import TrainingOptions


def main() -> None:
    """Run the training that the first line of standard input requests; exit when the input ends."""
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    settings = Settings.model_validate(request["settings"])
    use_likes(settings.likes)
    telemetry.configure_logging("trainer training", settings.log_level)
    signal.signal(signal.SIGTERM, _stop)
    exit_after(wait_for_end_of_input)
    try:
        train(
            settings,
            TrainingOptions(
                tuple(request["only"]),
                reason=str(request["reason"]),
                training_id=sys.argv[1],
                lock=request["lock"],
            ),
        )
    except MarqueeError as error:
        telemetry.log.error("training failed", detail=str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(1)


def train(settings: Settings, options: TrainingOptions) -> None:
    """Run the stages; the libraries that fit models are imported here."""
    from trainer.models.parameters import read_parameters
    from trainer.runs.run import run
    from trainer.runs.stages import STAGES

    run(STAGES, settings, options, read_parameters(settings.params))


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
