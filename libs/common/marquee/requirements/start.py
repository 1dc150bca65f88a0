"""The check at a process's start: refuse what makes answers or facts wrong, warn of the rest."""

from collections.abc import Iterable

from marquee import telemetry
from marquee.errors import SettingsError
from marquee.requirements.kafka_server import kafka_server_results
from marquee.requirements.redis_rights import rights_results
from marquee.requirements.redis_server import redis_results
from marquee.requirements.result import CheckResult
from marquee.requirements.state_folder import state_results
from marquee.settings import Settings


def check_start(settings: Settings, kind: str = "", *, uses_bus: bool = True) -> None:
    """Look at the state folder, at Redis and at Kafka before a process works with them.

    A server that does not answer is no reason to refuse: the process waits for it.

    Args:
        settings: The process's settings.
        kind: The kind of process, whose rights at Redis are tried; empty: they are not.
        uses_bus: Whether the process connects to the bus; the apps of models do not.

    Raises:
        SettingsError: The process would give wrong answers, lose facts, or never work.
    """
    kafka = kafka_server_results(settings) if uses_bus else []
    enforce([*state_results(settings.state), *redis_results(settings), *kafka])
    if kind:
        enforce(rights_results(settings, kind))


def enforce(results: Iterable[CheckResult]) -> None:
    """Log the results that processes warn of.

    Raises:
        SettingsError: The first result that processes refuse, in one line with its remedy.
    """
    for result in results:
        if result.at_start == "refuse":
            raise SettingsError(result.line)
        if result.at_start == "warn":
            telemetry.log.warning("a requirement is not met", detail=result.line)
