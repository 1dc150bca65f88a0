"""What must hold of a fuzzed system: consumers at the end, facts as the log has them."""

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from fuzz_system import System
from marquee.bus.api import TopicPartition
from marquee.bus.log import closing_log, open_log
from marquee.dead_letters.queue import DeadLetterQueue, open_dead_letters
from marquee.errors import MarqueeError
from marquee.events import MODELS, MOVIES, RATINGS
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore

END_S = 180.0
"""Seconds within which consumers must come to the end of the log."""
_NUMBERS = re.compile(r"\d+|'[^']*'|\"[^\"]*\"|b'.*")


@dataclass
class SystemResult:
    """What was found of a system."""

    stuck: list[str] = field(default_factory=list)
    """Consumers that did not come to the end of a partition."""
    dead: dict[str, str] = field(default_factory=dict)
    """Reason of each dead letter, by its name."""
    unequal: list[str] = field(default_factory=list)
    """Facts that differ between live, replayed and restored."""
    ended: list[str] = field(default_factory=list)
    """Processes that ended by themselves."""
    seconds: float = 0.0
    """How long consumers took to come to the end."""

    @property
    def reasons(self) -> Counter[str]:
        """The kinds of reasons for dead letters, without what each is about."""
        return Counter(_kind_of(reason) for reason in self.dead.values())

    @property
    def is_clean(self) -> bool:
        return not (self.stuck or self.unequal or self.ended)


def _kind_of(reason: str) -> str:
    """Return a reason without the names, numbers and texts of its message."""
    field, found, rule = reason.partition(": ")
    return _NUMBERS.sub("…", rule if found and " " not in field else reason)[:110]


def check(system: System) -> SystemResult:
    """Wait until all consumers are at the end, then look at what they made of it."""
    result = SystemResult()
    began = time.monotonic()
    result.stuck = _stuck(system)
    result.seconds = time.monotonic() - began
    queue = open_dead_letters(system.settings)
    result.dead = _dead_letters(queue)
    queue.close()
    result.unequal = _unequal(system)
    result.ended = system.ended_processes()
    if httpx.get(f"{system.url}/health/ready").status_code != 200:
        result.ended.append("the gateway is not ready")
    return result


def _stuck(system: System) -> list[str]:
    """Return who is not at the end of the log after all the time that there is."""
    settings = system.settings
    store = RedisStore(settings.redis_url.get_secret_value())
    counts = {MOVIES: settings.partitions, RATINGS: settings.partitions, MODELS: 1}
    partitions = [TopicPartition(topic, i) for topic, n in counts.items() for i in range(n)]
    names = system.consumers
    keys = {name: Keys(settings.namespace, name, settings.partitions) for name in names}
    deadline = time.monotonic() + END_S
    with closing_log(open_log(settings)) as log:
        while True:
            ends = {partition: log.range(partition)[1] for partition in partitions}
            behind = [
                f"{name} is at {position} of {end} in {partition}"
                for name in names
                for partition, end in ends.items()
                if (name, partition.topic) != ("gateway", MODELS)
                and (position := store.position(keys[name].of(partition)) or 0) < end
            ]
            if not behind or time.monotonic() > deadline:
                store.close()
                return behind
            time.sleep(0.1)


def _dead_letters(queue: DeadLetterQueue) -> dict[str, str]:
    try:
        return {letter.id: letter.reason for letter in queue.all()}
    except MarqueeError as error:
        raise SystemExit(f"the dead letters cannot be read: {error}") from error


def _unequal(system: System) -> list[str]:
    """Return what `marquee verify` finds unequal."""
    services = [f"--service={name}" for name in (*system.consumers, "trainer")]
    done = system.command("verify", "--json", *services)
    try:
        verdicts = json.loads(done.stdout)
    except ValueError:
        return [f"marquee verify: {done.stdout[-500:]}{done.stderr[-1000:]}"]
    items: list[Mapping[str, object]] = (
        verdicts["items"] if isinstance(verdicts, dict) else verdicts
    )
    unequal = [str(dict(item)) for item in items if not item["equal"]]
    if done.returncode and not unequal:
        unequal.append(f"marquee verify: status {done.returncode}: {done.stderr[-1000:]}")
    return unequal
