"""How far an app has followed its streams, told with every list that it makes."""

from collections.abc import Sequence

import orjson

from marquee.serving.update_stream import Tail
from marquee.store.keys import PartitionKeys


class Progress:
    """Progress of an app's tails, in the forms that answers hold; made anew when one moves."""

    def __init__(self, rows: Sequence[PartitionKeys], tail: Tail, *others: Tail) -> None:
        """Take the tails.

        Args:
            rows: The partitions whose positions are told.
            tail: Follows them.
            others: Further tails, whose entries are told too.
        """
        self._rows, self._tail, self._tails = rows, tail, (tail, *others)
        self._moves = -1
        self._positions: dict[str, int] = {}
        self._entries = orjson.Fragment(b"{}")

    @property
    def positions(self) -> dict[str, int]:
        """Progress of the rows: `topic:partition` → next offset."""
        self._refresh()
        return self._positions

    @property
    def entries(self) -> orjson.Fragment:
        """The last entry of each stream that memory has, by the key of the stream, as JSON."""
        self._refresh()
        return self._entries

    @property
    def is_connected(self) -> bool:
        """Whether memory agrees with the store."""
        return all(tail.connected for tail in self._tails)

    def _refresh(self) -> None:
        moves = sum(tail.moves for tail in self._tails)
        if moves != self._moves:
            entries = {key: last for tail in self._tails for key, last in tail.entries.items()}
            self._positions = {str(k.partition): self._tail.position(k) for k in self._rows}
            self._entries, self._moves = orjson.Fragment(orjson.dumps(entries)), moves
