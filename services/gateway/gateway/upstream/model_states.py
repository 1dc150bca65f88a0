"""What the model services' lists rest on, followed in their update streams.

A service tells with each list which entries of the streams it had read. The gateway follows the
same streams, so it knows which entries change lists. A list that was made after the last such entry
stays right until the next one. Where the gateway does not know (Redis is away, a stream has a gap),
no list is right.
"""

import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from gateway.upstream.models import ReplyState
from marquee.domain.models import CONTENT, MODEL_SPECS
from marquee.events import MODELS, MOVIES, RATINGS
from marquee.serving.update_stream import Tail, Update
from marquee.store.keys import Keys, PartitionKeys

POPULARITY_S = 0.5
"""For how long a list may be used in spite of new ratings, which change the popularity in it. That
of the services may be as old (`SUMS_MAX_AGE_S`)."""
_OF_ROWS = frozenset({"part", "erased", "model", "complete"})
"""Kinds of values that change a service's lists, in any of its streams; rows of movies besides."""
_Place = tuple[int, int]
"""Id of an entry of a stream."""


class Basis(NamedTuple):
    """What a list of a service rests on.

    Attributes:
        service: The service.
        epoch: Count of the moments since when the gateway has followed without a gap.
        rows: Count of the changes of the service's rows and version.
        sums: Count of the changes of popularity; None: the list lacks the last of them.
        made_at: When it was asked for, by the monotonic clock.
    """

    service: str
    epoch: int
    rows: int
    sums: int | None
    made_at: float


class _Changes:
    """Changes of one kind: their number, and the last entry of each stream that had one."""

    def __init__(self) -> None:
        self.count = 0
        self.last: dict[str, _Place] = {}

    def note(self, stream: str, entry: str) -> None:
        """Count a change."""
        self.count += 1
        self.last[stream] = _place(entry)

    def are_in(self, state: ReplyState) -> bool:
        """Return whether a service had read all of them."""
        read = state.entries.get
        return all(_place(read(stream, "")) >= last for stream, last in self.last.items())


class ModelStates:
    """Follows the update streams of the services that make lists."""

    def __init__(
        self,
        client: Any,
        namespace: str,
        partitions: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Follow nothing yet.

        Args:
            client: asyncio client of Redis.
            namespace: Of the services' keys.
            partitions: Number of partitions of `movies` and of `ratings`.
            clock: The monotonic clock, in seconds.
        """
        services = [Keys(namespace, name, partitions) for name in MODEL_SPECS]
        streams = [
            (service.service, keys)
            for service in services
            for topic in (MOVIES, RATINGS, MODELS)
            for keys in service.all(topic)
        ]
        self._service_of = {keys.updates: service for service, keys in streams}
        of_content = Keys(namespace, CONTENT.name, partitions)
        self._of_sums = frozenset(keys.updates for keys in of_content.all(RATINGS))
        self._rows = {service.service: _Changes() for service in services}
        self._sums = _Changes()
        self._epoch, self._is_new, self._clock = 0, True, clock
        followed = [keys for _, keys in streams]
        self.tail = Tail(client, followed, self._load, self._apply, is_measured=False)

    @property
    def is_known(self) -> bool:
        """Whether the gateway knows which lists are right."""
        return self.tail.connected

    def basis(self, service: str, state: ReplyState | None, made_at: float) -> Basis | None:
        """Return what a list rests on, once it has come; None: nobody knows.

        Args:
            service: The service that made it.
            state: What it told of its state.
            made_at: When it was asked, by the monotonic clock.
        """
        if not self.is_known or state is None or not state.settled:
            return None
        self._begin()
        rows = self._rows[service]
        if not rows.are_in(state):
            return None
        is_current = not state.lags and self._sums.are_in(state)
        sums = self._sums.count if is_current else None
        return Basis(service, self._epoch, rows.count, sums, made_at)

    def why_not(self, bases: Collection[Basis]) -> str | None:
        """Return what has changed since lists were made; None: they are right."""
        if not self.is_known:
            return "unknown"
        for basis in bases:
            if basis.epoch != self._epoch:
                return "unknown"
            if basis.rows != self._rows[basis.service].count:
                return "rows"
            if basis.sums != self._sums.count and self._clock() - basis.made_at >= POPULARITY_S:
                return "popularity"
        return None

    async def _load(self) -> None:
        """Begin anew: entries may have been missed."""
        self._epoch += 1
        self._is_new = True

    def _begin(self) -> None:
        """Require of every list all that the streams had when following began."""
        if not self._is_new:
            return
        self._is_new = False
        for changes in (*self._rows.values(), self._sums):
            changes.last.clear()
        for stream, entry in self.tail.entries.items():
            service, place = self._service_of[stream], _place(entry)
            self._rows[service].last[stream] = place
            if stream in self._of_sums:
                self._sums.last[stream] = place

    def _apply(self, keys: PartitionKeys, update: Update) -> None:
        service, topic = self._service_of[keys.updates], keys.partition.topic
        kinds = {name.partition(":")[0] for name in update.values}
        if not kinds.isdisjoint(_OF_ROWS) or ("row" in kinds and topic == MOVIES):
            self._rows[service].note(keys.updates, update.entry)
        if "sums" in kinds and keys.updates in self._of_sums:
            self._sums.note(keys.updates, update.entry)


def _place(entry: str) -> _Place:
    ms, _, sequence = entry.partition("-")
    return (int(ms), int(sequence)) if sequence else (-1, -1)
