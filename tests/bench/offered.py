"""Load offered at a rate by a process of its own, and the search for the best goodput."""

import contextlib
import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from marquee_testing.load.open_loop import Plan, Result

PROGRAM = "marquee_testing.load.open_loop"
GROWTH = 1.25
"""Factor between two rates of the search."""


class Offer:
    """A load under way."""

    def __init__(self, plan: Plan) -> None:
        command = [sys.executable, "-m", PROGRAM, json.dumps(asdict(plan))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)

    @property
    def is_over(self) -> bool:
        """Whether the plan has ended by itself."""
        return self._process.poll() is not None

    def result(self) -> Result:
        """Return what came of it, once it has ended."""
        output, _ = self._process.communicate()
        return Result(**json.loads(output))

    def stop(self) -> None:
        """Send no more."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def offered(plan: Plan) -> Iterator[Offer]:
    """Offer a load while the block runs, or until the plan is over."""
    offer = Offer(plan)
    try:
        yield offer
    finally:
        offer.stop()


def offer(plan: Plan) -> Result:
    """Offer a load until the plan is over."""
    with offered(plan) as load:
        return load.result()


def best_goodput(
    plan: Plan, start: float, say: Callable[[float, Result], None], patience: int = 2
) -> Result:
    """Offer ever more until good answers a second rise no further; return the best step.

    Args:
        plan: The load; its seconds are those of a step.
        start: Rate of the first step.
        say: Is told each step: the rate and the result.
        patience: Steps in a row without a better one that end the search.
    """
    best, rate, worse = Result(), start, 0
    while worse < patience:
        result = offer(dataclasses.replace(plan, per_second=rate))
        say(rate, result)
        if result.per_second("good") > best.per_second("good"):
            best, worse = result, 0
        else:
            worse += 1
        rate *= GROWTH
    return best


def step_line(rate: float, result: Result) -> str:
    """Return one line on a step."""
    good = result.per_second("good")
    return (
        f"{rate:,.0f} requests/s offered: {good:,.0f} good/s, p50"
        f" {result.p50_ms.get('good', 0):,.0f} ms, p99 {result.p99_ms.get('good', 0):,.0f} ms;"
        f" {', '.join(f'{name} {n:,}' for name, n in sorted(result.outcomes.items()))};"
        f" generator {result.own_cpu:.0%} of a core"
    )
