"""Real processes of the system, forked from one that has loaded all modules.

Loading them is most of a process's start: twelve processes are there in the time of two.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping

from marquee.domain.models import MODEL_NAMES
from marquee.process import run

SERVICES = ("gateway", *MODEL_NAMES, "trainer")
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "marquee.bus.kafka.bus",
        *(f"{name.replace('-', '_')}.{role}" for name in SERVICES for role in ("app", "consumer")),
    ]
)
Role = multiprocessing.process.BaseProcess


def start_role(service: str, role: str, variables: Mapping[str, str]) -> Role:
    """Start a process of the system.

    Args:
        service: Name of the service.
        role: `app` or `consumer`.
        variables: Its settings; those of this process's environment are left out.
    """
    process = _FORKS.Process(target=_run, args=(service, role, dict(variables)))
    process.start()
    return process


def _run(service: str, role: str, variables: dict[str, str]) -> None:
    """Be that process, from its own entry point on."""
    for name in [name for name in os.environ if name.startswith("MARQUEE_")]:
        del os.environ[name]
    os.environ.update(variables)
    package = service.replace("-", "_")
    sys.argv = [service, role]
    run(f"{package}.app", f"{package}.consumer")
