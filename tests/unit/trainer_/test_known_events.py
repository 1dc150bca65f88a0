"""Events that were there before are counted as they are sent again."""

from pathlib import Path

from marquee.bus.api import TopicPartition
from marquee.consumer.deduplication import event_digest
from marquee.errors import StoreUnavailable
from marquee.events import AnyEvent
from marquee.events.partitioning import partition_of
from marquee.settings import Settings
from marquee.store.api import ReadRequest, ReadResult
from marquee.store.keys import Keys
from trainer.operations.event_files import LineFault, read_events
from trainer.operations.known_events import KnownEvents

SETTINGS = Settings(namespace="test", partitions=4)


def events(folder: Path, n: int) -> list[AnyEvent]:
    (path := folder / "events.jsonl").write_text(
        "".join(
            f'{{"id": "e{i}", "source": "shop", "type": "rating.added",'
            f' "data": {{"user_id": {i}, "movie_id": 2, "rating": 4.5}}}}\n'
            for i in range(1, n + 1)
        )
    )
    with path.open("rb") as file:
        return [event for event in read_events(file, "x") if not isinstance(event, LineFault)]


class Windows:
    """A store whose windows have some events; without any it does not answer."""

    def __init__(self, known: list[AnyEvent]) -> None:
        keys = Keys("test", "gateway", 4)
        self.asked = 0
        self.known = {
            (keys.of(TopicPartition(e.topic, partition_of(e.key, 4))).window, event_digest(e))
            for e in known
        }

    def read(self, request: ReadRequest, /) -> ReadResult:
        self.asked += 1
        if not self.known:
            raise StoreUnavailable("away")
        asked = [(key, member) for key, of in (request.scores or {}).items() for member in of]
        return ReadResult({}, {}, {pair: 1.0 if pair in self.known else None for pair in asked})


def test_events_of_the_windows_are_known(tmp_path: Path) -> None:
    sent = events(tmp_path, 20)
    count = KnownEvents(Windows(sent[:7]), SETTINGS)
    assert (count(sent), count(sent[7:]), count([])) == (7, 0, 0)


def test_a_store_that_is_away_is_asked_once(tmp_path: Path) -> None:
    sent, store = events(tmp_path, 3), Windows([])
    count = KnownEvents(store, SETTINGS)
    assert (count(sent), count(sent), store.asked) == (0, 0, 1)
