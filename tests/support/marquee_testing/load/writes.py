"""What became of accepted ratings: each stands in the log once, and each service has applied it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marquee.bus.api import TopicPartition
from marquee.bus.log import closing_log, open_log
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import Ratings
from marquee.events import RATINGS
from marquee.settings import Settings
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_testing.load.requests import WRITERS
from marquee_testing.waiting import until


@dataclass(frozen=True)
class AcceptedWrites:
    """The ratings that a load generator noted as accepted, by `first_writer` and those after."""

    settings: Settings
    journal: Path
    first_writer: int

    def entries(self) -> list[dict[str, Any]]:
        """Return the accepted ratings."""
        return [json.loads(line) for line in self.journal.read_text().splitlines()]

    def faults(self, services: Sequence[str]) -> list[str]:
        """Return what was lost, doubled or never accepted, once the services are at the log's end.

        Raises:
            AssertionError: A service does not reach the end of the log.
        """
        sent = self.entries()
        faults = [*self._log_faults(sent)]
        store = RedisStore(self.settings.redis_url.get_secret_value())
        try:
            for service in services:
                keys = Keys(self.settings.namespace, service, self.settings.partitions)
                until(lambda keys=keys: self._is_at_the_end(store, keys))  # type: ignore[misc]
                faults += self._fact_faults(store, keys, sent)
        finally:
            store.close()
        return faults

    def _log_faults(self, sent: Sequence[dict[str, Any]]) -> Iterator[str]:
        times = Counter(self._ids_in_the_log())
        accepted = {entry["event_id"] for entry in sent}
        for event_id in accepted - times.keys():
            yield f"{event_id} was accepted and is not in the log"
        for event_id, n in times.items():
            if n != 1:
                yield f"{event_id} is in the log {n} times"
            if event_id not in accepted:
                yield f"{event_id} is in the log and was not accepted"

    def _ids_in_the_log(self) -> Iterator[str]:
        writers = range(self.first_writer, self.first_writer + WRITERS)
        with closing_log(open_log(self.settings)) as log:
            for partition in self._partitions():
                for message in log.read(partition, *log.range(partition)):
                    event = json.loads(message.value)
                    if event["data"].get("user_id") in writers:
                        yield event["id"]

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(RATINGS, number) for number in range(self.settings.partitions)]

    def _is_at_the_end(self, store: RedisStore, keys: Keys) -> bool:
        with closing_log(open_log(self.settings)) as log:
            return all(
                (store.position(keys.of(partition)) or 0) >= log.range(partition)[1]
                for partition in self._partitions()
            )

    def _fact_faults(
        self, store: RedisStore, keys: Keys, sent: Sequence[dict[str, Any]]
    ) -> Iterator[str]:
        wanted: dict[int, dict[int, int]] = {}
        for entry in sent:
            wanted.setdefault(entry["user"], {})[entry["movie"]] = round(2 * entry["stars"])
        for user, rated in wanted.items():
            of_user = keys.user(user)
            held = Ratings.unpack(store.get(of_user.user(user))).rated
            if held != rated:
                yield f"{keys.service} holds {held} of user {user}, not {rated}"


def ratings_by_movie(settings: Settings, movies: Sequence[int]) -> dict[int, int]:
    """Return how many ratings the content service has counted of each of some films."""
    store, counts = RedisStore(settings.redis_url.get_secret_value()), Counter[int]()
    keys = Keys(settings.namespace, "content", settings.partitions)
    try:
        for part in keys.all(RATINGS):
            rows = store.scan(part.sums)
            for movie in movies:
                counts[movie] += RatingSums.unpack(rows.get(str(movie).encode())).totals[0]
    finally:
        store.close()
    return dict(counts)
