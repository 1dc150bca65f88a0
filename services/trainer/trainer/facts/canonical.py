"""Canonical form and digest of one partition's facts as the store holds them.

Digests are equal if two partitions hold the same facts, whether live, replayed from the log or
restored from a snapshot. So the canonical form leaves out what depends on the path: offsets of last
changes, users without any facts, sums of zero, the order of tags and of dismissals. It leaves out
the times of ratings too, which profiles written before they were kept do not have, and with them
the sums' counts by period.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import orjson

from marquee.domain.ids import number_of
from marquee.domain.rating_sums import TOTALS_SIZE, RatingSums
from marquee.domain.ratings import PackedLayout
from marquee.errors import StoreUnavailable

_NO_SUMS = RatingSums().pack()

Entries = dict[str, bytes]
"""`film:<id>`, `rules:<id>`, `user:<id>`, `sums:<id>`, `erased:<digest>` → hash of the value."""


@dataclass
class PackedFacts:
    """Facts by id: `movies` and `rules` JSON, `users` packed ratings, `sums` packed sums."""

    movies: dict[int, bytes] = field(default_factory=dict)
    rules: dict[int, bytes] = field(default_factory=dict)
    users: dict[int, bytes] = field(default_factory=dict)
    sums: dict[int, bytes] = field(default_factory=dict)
    erased: dict[bytes, int] = field(default_factory=dict)
    """Digest of an erased user's id → offset."""
    movie_texts: dict[int, bytes] = field(default_factory=dict)
    """Ids of users' movies that are strings; no fact, since they stay when the ratings go."""

    def entries(self) -> Entries:
        """Return the hash of each fact."""
        entries: Entries = {}
        for movie_id, value in self.movies.items():
            _put(entries, f"film:{movie_id}", _canonical_json(value))
        for movie_id, value in self.rules.items():
            _put(entries, f"rules:{movie_id}", _canonical_json(value))
        for user_id, value in self.users.items():
            _put(entries, f"user:{user_id}", _canonical_ratings(value))
        for movie_id, value in self.sums.items():
            totals = value[:TOTALS_SIZE]
            _put(entries, f"sums:{movie_id}", b"" if totals == _NO_SUMS else totals)
        for digest, offset in self.erased.items():
            _put(entries, f"erased:{digest.hex()}", str(offset).encode())
        return entries

    def given_names(self) -> dict[str, str]:
        """Return names of facts with ids that are strings → the same with the strings."""
        users = [("user", i, _user_text(value)) for i, value in self.users.items() if i < 0]
        films = {i: _movie_text(value) for i, value in self.movies.items() if i < 0}
        named = [*users, *(("film", i, text) for i, text in films.items())]
        named += [("rules", i, films.get(i, "")) for i in self.rules if i < 0]
        # A damaged value may have the id of another one.
        return {f"{kind}:{i}": f"{kind}:{text}" for kind, i, text in named if number_of(text) == i}

    def __len__(self) -> int:
        kinds = (self.movies, self.rules, self.users, self.sums, self.erased)
        return sum(len(values) for values in kinds)


def digest_of(entries: Entries) -> str:
    """Return the digest of a partition: 32 hexadecimal digits, equal for equal facts."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(entries):
        digest.update(name.encode() + b"\0" + entries[name])
    return digest.hexdigest()


def differing(a: Entries, b: Entries) -> list[str]:
    """Return the sorted names of the facts that are not the same in both."""
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def _put(entries: Entries, name: str, value: bytes) -> None:
    """Add the hash of a canonical value, unless the value is empty."""
    if value:
        entries[name] = hashlib.blake2b(value, digest_size=16).digest()


def _canonical_json(value: bytes) -> bytes:
    parsed = orjson.loads(value)
    return orjson.dumps(parsed, option=orjson.OPT_SORT_KEYS) if parsed else b""


def _canonical_ratings(value: bytes) -> bytes:
    """Return packed ratings without times, the dismissed movies in order of their ids.

    Without a watchlist it is what it was before there were any.
    """
    layout = _layout(value)
    if layout is None:  # damaged, hence equal to no other
        return value
    if not layout.rated + layout.viewed + layout.dismissed + layout.watchlist:
        return b""
    dismissed = np.sort(np.frombuffer(value, layout.id_type, layout.dismissed, layout.dismissed_at))
    watchlist = value[layout.watchlist_at :] if layout.watchlist else b""
    return value[: layout.dismissed_at] + dismissed.tobytes() + watchlist


def _layout(value: bytes) -> PackedLayout | None:
    """Return the layout of packed ratings, None if they are of an unknown version."""
    try:
        return PackedLayout.of(value)
    except StoreUnavailable:
        return None


def _user_text(value: bytes) -> str:
    layout = _layout(value)
    return layout.user if layout else ""


def _movie_text(value: bytes) -> str:
    return str(orjson.loads(value)["movie_id"])
