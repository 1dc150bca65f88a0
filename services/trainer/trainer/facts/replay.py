"""Replay of a log: events applied to facts in memory by the handlers that the consumers run."""

from collections.abc import Collection, Mapping, Sequence

from marquee.bus.api import TopicPartition
from marquee.consumer.decoding import DecodedMessage
from marquee.consumer.deduplication import drop_duplicates
from marquee.consumer.handlers.by_service import FactSet
from marquee.consumer.unit_of_work import UnitOfWork, apply_event, prefetch
from marquee.errors import IdCollision, MarqueeError
from marquee.store.api import Command, ReadRequest, ReadResult
from marquee.store.keys import Keys, PartitionKeys
from trainer.facts.canonical import PackedFacts

BATCH = 256


class Replay:
    """Applies a partition's messages from `position` on to `facts`, as a consumer would.

    The messages just before `position` are to be remembered first, so that late duplicates of them
    are dropped.

    Args:
        partition: The partition.
        fact_set: The facts that the service keeps of its topic.
        facts: Facts at the position; they are changed.
        position: Offset of the first message to apply.
        dead_letters: Offsets that the service's consumer has put aside as dead letters.
    """

    def __init__(
        self,
        partition: TopicPartition,
        fact_set: FactSet,
        facts: PackedFacts,
        position: int,
        dead_letters: Collection[int] = (),
    ) -> None:
        self.facts, self.position = facts, position
        self._handlers, self._dead_letters = fact_set.handlers, dead_letters
        self._keys = Keys("replay", "replay", 1).of(partition)
        self._store = FactStore(self._keys, facts)

    @property
    def window(self) -> dict[bytes, int]:
        """Digests of the recent events, with their offsets."""
        return self._store.window

    @property
    def audit(self) -> tuple[Mapping[bytes, int], Mapping[bytes, int], Mapping[bytes, int]]:
        """Audit entries of rules and of films, and receipts of erasures → times in ms."""
        entries = self._store.audit
        keys = (self._keys.audit_rules, self._keys.audit_films, self._keys.erasures)
        return entries[keys[0]], entries[keys[1]], entries[keys[2]]

    @property
    def changed(self) -> dict[int, int]:
        """Movies or users that the replay has changed → offsets of their last changes."""
        return self._store.changed

    def feed(self, messages: Sequence[DecodedMessage], until: int) -> None:
        """Apply the messages from the position on, up to the one before offset `until`."""
        new = [m for m in messages if self.position <= m.message.offset < until]
        for start in range(0, len(new), BATCH):
            self._apply(new[start : start + BATCH])
        if new:
            self.position = new[-1].message.offset + 1

    def remember(self, messages: Sequence[DecodedMessage], before: int) -> None:
        """Add the messages before an offset to the window of recent events only."""
        unit_of_work = UnitOfWork(self._keys, self._store)
        old = [m for m in messages if m.message.offset < before]
        for _ in drop_duplicates(unit_of_work, self._without_dead_letters(old)):
            pass
        self._store.apply(unit_of_work.commands(0, 0))

    def _apply(self, messages: Sequence[DecodedMessage]) -> None:
        """Apply a batch; if an event raises, one by one, as a consumer puts aside that one."""
        try:
            self._apply_at_once(self._without_dead_letters(messages))
        except Exception as error:
            if isinstance(error, MarqueeError) and not isinstance(error, IdCollision):
                raise
            if len(messages) > 1:
                for message in messages:
                    self._apply([message])

    def _apply_at_once(self, messages: Sequence[DecodedMessage]) -> None:
        unit_of_work = UnitOfWork(self._keys, self._store)
        events = list(drop_duplicates(unit_of_work, messages))
        prefetch(unit_of_work, [event for _, event in events])
        for offset, event in events:
            apply_event(unit_of_work, offset, event, self._handlers)
        self._store.apply(unit_of_work.commands(0, 0))

    def _without_dead_letters(self, messages: Sequence[DecodedMessage]) -> list[DecodedMessage]:
        return [m for m in messages if m.message.offset not in self._dead_letters]


class FactStore:
    """A store for units of work, over the facts of one partition in memory."""

    def __init__(self, keys: PartitionKeys, facts: PackedFacts) -> None:
        self._facts, self._keys = facts, keys
        self._hashes = {
            keys.movies: facts.movies,
            keys.rules: facts.rules,
            keys.sums: facts.sums,
            keys.movie_texts: facts.movie_texts,
        }
        self._user = keys.user(0)[:-1]
        self.audit: dict[str, dict[bytes, int]] = {
            key: {} for key in (keys.audit_rules, keys.audit_films, keys.erasures)
        }
        """Entries by key, with their times."""
        self.window: dict[bytes, int] = {}
        """Digest of a recent event → its offset, by rising offset."""
        self.changed: dict[int, int] = {}
        """Movie or user → offset of the last change."""
        self.rows: dict[str, bytes] = {}
        """Derived rows by field."""

    def read(self, reads: ReadRequest) -> ReadResult:
        """See `Store.read`."""
        users = {key: self._facts.users.get(self._user_id(key)) for key in reads.strings}
        fields: dict[tuple[str, str], bytes | None] = {}
        for key, names in (reads.fields or {}).items():
            values = self._hashes.get(key, {})
            fields |= {(key, name): values.get(int(name)) for name in names}
        scores: dict[tuple[str, bytes], float | None] = {}
        for key, members in (reads.scores or {}).items():
            scores |= {(key, member): self.window.get(member) for member in members}
        return ReadResult(users, fields, scores)

    def position(self, _: PartitionKeys) -> int | None:
        """Return None: the caller knows the position."""
        return None

    def scan(self, _: str) -> dict[bytes, bytes]:
        """Return nothing: there are only facts."""
        return {}

    def changed_since(self, _keys: PartitionKeys, _offset: int) -> list[int]:
        """Return nothing: offsets of changes are not stored."""
        return []

    def write(
        self,
        _keys: PartitionKeys,
        _expected: object,
        _position: object,
        commands: Sequence[Command],
    ) -> None:
        """See `Store.write`; there is no other writer, hence no fence."""
        self.apply(commands)

    def apply(self, commands: Sequence[Command]) -> None:
        """Execute the commands that concern facts and the window of recent events."""
        for name, key, *arguments in commands:
            self._execute(str(name), str(key), arguments)

    def _execute(self, name: str, key: str, arguments: list[bytes | str | int | float]) -> None:
        if key.startswith(self._user):
            self._set_user(self._user_id(key), arguments)
        elif (entries := self.audit.get(key)) is not None:
            entries[_bytes(arguments[1])] = int(arguments[0])
        elif key == self._keys.window:
            self._set_window(name, arguments)
        elif key == self._keys.erased:
            self._facts.erased[bytes(arguments[1])] = int(arguments[0])  # type: ignore[arg-type]
        elif key == self._keys.changed and name == "ZREM":
            self.changed.pop(int(arguments[0]), None)
        elif key == self._keys.changed:
            self.changed[int(arguments[1])] = int(arguments[0])
        elif (values := self._hashes.get(key)) is not None:
            if name == "HSET":
                values[int(arguments[0])] = _bytes(arguments[1])
            else:
                values.pop(int(arguments[0]), None)
        elif name == "HSET":
            self.rows[str(arguments[0])] = bytes(arguments[1])  # type: ignore[arg-type]

    def _set_user(self, user_id: int, arguments: list[bytes | str | int | float]) -> None:
        if arguments:
            self._facts.users[user_id] = bytes(arguments[0])  # type: ignore[arg-type]
        else:
            self._facts.users.pop(user_id, None)

    def _set_window(self, name: str, arguments: list[bytes | str | int | float]) -> None:
        if name == "ZADD":
            self.window[bytes(arguments[1])] = int(arguments[0])  # type: ignore[arg-type]
            return
        spare = len(self.window) + int(arguments[1]) + 1
        for digest in list(self.window)[: max(0, spare)]:
            del self.window[digest]

    def _user_id(self, key: str) -> int:
        return int(key[len(self._user) :])


def _bytes(value: bytes | str | int | float) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
