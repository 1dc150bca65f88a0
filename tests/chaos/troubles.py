"""Injection of each trouble of the schedule, and its end."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from marquee_testing.servers.fault_proxy import Link
from schedule import KAFKA, Round

SLOW_S = 0.08
"""What a slow network adds to each piece of a request and of a reply."""
REPLIES = 3
"""How many replies one link loses in a round."""


class Hands:
    """Access to the processes of a stack, by name, and to the links between them."""

    def __init__(self, stack: int, links: dict[str, Link]) -> None:
        self._stack, self._links = stack, links

    @contextlib.contextmanager
    def trouble(self, one: Round) -> Iterator[None]:
        """Inject the trouble of a round; it ends with the block."""
        verb = one.trouble.split()[0]
        if verb == "kill":
            self._signal(one, signal.SIGKILL)
            yield
        elif verb == "stop":
            pids = self._signal(one, signal.SIGSTOP)
            try:
                yield
            finally:
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
        else:
            links = [self._links[name] for name in one.targets]
            for link in links:
                _FAULTS[verb](link)
            try:
                yield
            finally:
                for link in links:
                    link.heal()

    def _signal(self, one: Round, number: int) -> list[int]:
        pids = [pid for name in one.targets for pid in self.pids(name)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def pids(self, name: str) -> list[int]:
        """Return the processes of this stack whose command line holds a name."""
        return [pid for pid, line in self.lines() if name in line]

    def lines(self) -> list[tuple[int, str]]:
        """Return the command lines of the stack's children, and of theirs."""
        found, parents = [], {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(stat[1])
                found.append((int(folder.name), line))
        ours = {pid for pid, parent in parents.items() if parent == self._stack}
        # The broker's script has the broker as its child, and both name the data folder.
        second = {pid for pid, parent in parents.items() if parent in ours}
        return [
            (pid, line) for pid, line in found if pid in ours or (pid in second and KAFKA in line)
        ]


def _lose(link: Link) -> None:
    link.lose_replies(REPLIES)


def _slow(link: Link) -> None:
    link.delay_up = link.delay_down = SLOW_S


_FAULTS: dict[str, Callable[[Link], None]] = {
    "cut": Link.cut, "reset": Link.reset, "slow": _slow, "lose": _lose,
}  # fmt: skip
