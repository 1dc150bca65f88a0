"""Redis keys: all names that services read or write; `marquee.store.redis` describes them."""

from dataclasses import dataclass

from marquee.bus.api import TopicPartition
from marquee.events import MODELS, MOVIES, RATINGS
from marquee.events.partitioning import partition_of


@dataclass(frozen=True)
class PartitionKeys:
    """The keys of one partition of one service."""

    prefix: str
    partition: TopicPartition

    def _key(self, name: str) -> str:
        return f"{self.prefix}:{{{self.partition}}}:{name}"

    @property
    def position(self) -> str:
        return self._key("position")

    @property
    def log(self) -> str:
        return self._key("log")

    @property
    def window(self) -> str:
        return self._key("window")

    @property
    def updates(self) -> str:
        return self._key("updates")

    @property
    def movies(self) -> str:
        return self._key("films")

    @property
    def changed(self) -> str:
        return self._key("changed")

    @property
    def erased(self) -> str:
        return self._key("erased")

    @property
    def sums(self) -> str:
        return self._key("sums")

    @property
    def rules(self) -> str:
        return self._key("rules")

    @property
    def rules_version(self) -> str:
        return self._key("rules_version")

    @property
    def audit_rules(self) -> str:
        return self._key("audit_rules")

    @property
    def audit_films(self) -> str:
        return self._key("audit_films")

    @property
    def erasures(self) -> str:
        return self._key("erasures")

    @property
    def versions(self) -> str:
        return self._key("versions")

    @property
    def complete(self) -> str:
        return self._key("complete")

    @property
    def model(self) -> str:
        return self._key("model")

    @property
    def movie_texts(self) -> str:
        return self._key("movie_texts")

    def user(self, user_id: int) -> str:
        return self._key(f"user:{user_id}")

    def rows(self, version: str) -> str:
        return self._key(f"rows:{version}")


@dataclass(frozen=True)
class Keys:
    """All keys of one service; `partitions` is the number of `movies` and of `ratings`."""

    namespace: str
    service: str
    partitions: int

    def of(self, partition: TopicPartition) -> PartitionKeys:
        """Return the keys of a partition."""
        return PartitionKeys(f"{self.namespace}:{self.service}", partition)

    def movie(self, movie_id: int) -> PartitionKeys:
        """Return the keys of the partition that a movie belongs to."""
        return self.of(TopicPartition(MOVIES, partition_of(movie_id, self.partitions)))

    def user(self, user_id: int) -> PartitionKeys:
        """Return the keys of the partition that a user belongs to."""
        return self.of(TopicPartition(RATINGS, partition_of(user_id, self.partitions)))

    @property
    def model(self) -> str:
        """The key of the published version."""
        return self.of(TopicPartition(MODELS, 0)).model

    def all(self, topic: str) -> list[PartitionKeys]:
        """Return the keys of every partition of a topic."""
        n = 1 if topic == MODELS else self.partitions
        return [self.of(TopicPartition(topic, number)) for number in range(n)]
